// The emoji that the page offers: the few that people use most, with the words one would look for them by.
// What a keyboard or the system's own picker offers beside them works as well.

/** @type {[string, [string, string][]][]} group, and of each emoji its name with other words for it behind a comma */
export const GROUPS = [
  ['Faces', [
    ['😀', 'grinning, happy smile'], ['😄', 'laughing, happy smile'], ['😂', 'tears of joy, lol laugh funny'], ['🤣', 'rolling on the floor, lol laugh'],
    ['🙂', 'slight smile'], ['😉', 'wink'], ['😊', 'blushing, smile warm'], ['😍', 'heart eyes, love'],
    ['😘', 'kiss, love'], ['😋', 'yummy, tasty tongue'], ['😜', 'winking with tongue, joke silly'], ['🤪', 'zany, crazy silly'],
    ['🤔', 'thinking, hmm'], ['🤨', 'raised eyebrow, doubt'], ['😐', 'neutral, meh'], ['🙄', 'rolling eyes'],
    ['😏', 'smirk'], ['😬', 'grimace, awkward'], ['😴', 'sleeping, tired zzz'], ['🥱', 'yawning, bored tired'],
    ['😎', 'sunglasses, cool'], ['🤓', 'nerd, glasses'], ['🥳', 'party, birthday celebrate'], ['😇', 'angel, halo'],
    ['😢', 'crying, sad tear'], ['😭', 'loudly crying, sad sob'], ['😞', 'disappointed, sad'], ['😳', 'flushed, embarrassed'],
    ['😱', 'screaming, fear shock'], ['😮', 'open mouth, surprised wow'], ['🤯', 'mind blown, shock'], ['😡', 'angry, mad'],
    ['🤗', 'hugging, hug'], ['🤫', 'hush, quiet secret'], ['🤐', 'zipped mouth, secret'], ['🥺', 'pleading, please'],
    ['🤒', 'ill, sick thermometer'], ['🥶', 'freezing, cold'], ['🥵', 'hot, heat'], ['🤖', 'robot, bot'],
  ]],
  ['Hands and hearts', [
    ['👋', 'waving hand, hello hi bye'], ['👍', 'thumbs up, yes good ok like'], ['👎', 'thumbs down, no bad'], ['👌', 'ok hand, perfect'],
    ['👏', 'clapping, applause bravo'], ['🙌', 'raised hands, hooray'], ['🙏', 'folded hands, thanks please'], ['🤝', 'handshake, deal'],
    ['💪', 'strong arm, muscle'], ['👉', 'pointing right, there'], ['👀', 'eyes, look see'], ['🤞', 'crossed fingers, luck'],
    ['🤷', 'shrug, dunno'], ['🙈', 'see no evil, monkey shy'], ['❤️', 'red heart, love'], ['🧡', 'orange heart, love'],
    ['💛', 'yellow heart, love'], ['💚', 'green heart, love'], ['💙', 'blue heart, love'], ['💔', 'broken heart, sad'],
  ]],
  ['Out and about', [
    ['☀️', 'sun, sunny weather'], ['🌙', 'moon, night'], ['⭐', 'star'], ['🌧️', 'rain, weather'],
    ['❄️', 'snowflake, cold winter'], ['🌈', 'rainbow'], ['🔥', 'fire, hot lit'], ['🌊', 'wave, sea water'],
    ['🌳', 'tree, forest'], ['🌻', 'sunflower, flower'], ['🍀', 'four leaf clover, luck'], ['⛰️', 'mountain'],
    ['🏡', 'house with garden, home'], ['🚶', 'walking, walk'], ['🏃', 'running, run'], ['🚀', 'rocket, space'],
    ['🐶', 'dog'], ['🐱', 'cat'], ['🦊', 'fox'], ['🐦', 'bird'],
  ]],
  ['Things', [
    ['🎉', 'party popper, celebrate congratulations'], ['🎁', 'present, gift birthday'], ['🎂', 'birthday cake'], ['☕', 'coffee, tea'],
    ['🍕', 'pizza, food'], ['🍺', 'beer, drink'], ['🍎', 'apple, fruit'], ['🎵', 'music, note song'],
    ['🎮', 'game, play'], ['⚽', 'football, soccer ball'], ['📷', 'camera, photo'], ['📍', 'pin, place here'],
    ['💡', 'light bulb, idea'], ['💬', 'speech bubble, talk chat'], ['⏰', 'alarm clock, time'], ['🔒', 'lock, private'],
    ['✅', 'check mark, done yes'], ['❌', 'cross mark, no wrong'], ['❓', 'question mark'], ['💯', 'hundred, perfect'],
  ]],
];

/** @param {string} words @returns {typeof GROUPS} those that have all of the words; groups that have none left out */
export function emojiNamed(words) {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = ([, names]) => wanted.every((word) => names.includes(word));
  return GROUPS.map(([group, emoji]) => [group, emoji.filter(fits)]).filter(([, emoji]) => emoji.length);
}
