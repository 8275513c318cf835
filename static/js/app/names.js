// Names and words that others chose, made fit to stand among the page's own: one of them
// must not reorder, hide or run over what stands beside it. Markup is no concern here: nothing
// on the page makes any out of text.

/** Control characters and line breaks; what stood around them stays apart. */
const CONTROLS = /[\p{Cc}\p{Zl}\p{Zp}\s]+/gu;
/** Marks of direction, which reach beyond the name (UAX 9), and characters that show as nothing and join nothing. */
const UNSEEN = /[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/gu;
/** More marks on one letter than any script needs. */
const STACKED = /(\p{M}{4})\p{M}+/gu;
const BLANK = /^[\p{Z}\p{C}\p{M}\u115f\u1160\u2800\u3164\uffa0]*$/u;
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/**
 * @param {string} text
 * @param {string} instead  where nothing of it can be seen
 * @returns {string} in one line; what is written from right to left is isolated from what stands around it
 */
export function legible(text, instead) {
  const seen = text.replace(UNSEEN, '').replace(CONTROLS, ' ').replace(STACKED, '$1').trim();
  if (BLANK.test(seen)) return instead;
  return RIGHT_TO_LEFT.test(seen) ? `\u2068${seen}\u2069` : seen;
}
