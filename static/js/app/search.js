// Finding words in text as people mean them: whatever the case, with or without accents.

/**
 * @param {string} text
 * @param {string} words
 * @returns {[number, number][]} where they begin and end, in order
 */
export function occurrences(text, words) {
  const wanted = folded(words.trim()).plain;
  if (!wanted) return [];
  const { plain, from } = folded(text);
  const found = [];
  for (let at = plain.indexOf(wanted); at !== -1; at = plain.indexOf(wanted, at + wanted.length)) {
    let end = at + wanted.length;
    while (end < plain.length && from[end] === from[end - 1]) end += 1; // one letter may be two of `plain`
    found.push([from[at], from[end]]);
  }
  return found;
}

/**
 * Without case, accents and other forms of the same letters.
 * @returns {{plain: string, from: number[]}} `from`: where in the text each unit of `plain` comes from
 */
function folded(text) {
  let plain = '';
  const from = [];
  let at = 0;
  for (const letter of text) {
    // After a letter its marks are gone, so that what is found ends behind them.
    const bare = letter.toLowerCase().normalize('NFKD').replace(/\p{Mn}/gu, '');
    plain += bare;
    for (let unit = 0; unit < bare.length; unit += 1) from.push(at);
    at += letter.length;
  }
  from.push(at);
  return { plain, from };
}
