/** Which part of a person's name stands for the person where it stands alone. */

/** Words and titles that are names too: alone, and even with a capital, they say nothing of who is meant. */
const commonWords = new Set(
  `abbey able account acting admin agent air all amber and angel any april apple art assistant august autumn avenue baker
   ball bank banks bar barber barn battle bay bell best bill bird bishop black block blue board bond book booker booth boy
   branch bridge brook brown buck bull burns bush butler button buyer call camp cannon car carpenter carter case cash chance
   chase chef chief child church city clark clay client close coach cole constant contact cook cooper corner county cowboy
   crane cross crow crystal customer daisy dale data day dean dear december deep desk director doctor dollar dove drew drive
   driver duke earl east eastern employee end england english error faith farmer father fellow field file finance fine first
   fish fisher flower flowers foot forbes ford forest fox frank free french friday friend frost game garden gardener garner
   general german gift glass gold golden good grace grant gray green grey guest guy hall hand happy hardy harmony hart haven
   hawk hay head heart heath heather heaven help high hill hills holder holly home honey hood hook hope house human hunt
   hunter image ireland iris iron island item ivory ivy jade january jersey jewel job jordan joy judge july june just key
   king kitchen knight knowles lady lake lamb land lane last law lawyer leader lee legal lily list little lock long lord
   love low lucky major man manager march mark market marks marsh martial mason master may mercy merry message mid miles
   mill miller mills mine mint miss mister moderator monday money moon moore morning mount mountain mrs name new night noble
   none noon north note november oak october office olive one only open operator order owner page palm paris park parker
   parks parrot part patience patient patron peace peak pearl penny people pepper person piece pierce pink plain planner
   plant platt please point pond pool pope porter post potter potts power powers presley president price pride prince
   prior product prudence queen rain rainbow range ranger ray read reader red reed regent rice rich ring river rivers road
   robin rock root rose rowan royal ruby rush russian sage sales sandy saturday savage scholar school scotland scott sea
   seller senior september service sharp shell shepherd sherry shield ship short silver simple singer sir sky small smart
   snow south southern spark spring square staff star stark steel steward stone storm street strong student success summer
   sun sunday sunny supplier support swan sweet swift system table tailor task taylor teacher team temple tenant test text
   the thursday tiger time title town trainer travel treasure true tuesday turner turtle type unknown user valley van
   vendor victor victory violet visitor wade wales walker wall ward warden waters wave way wealth webb wednesday wells west
   western wheeler white wild will willow win winner winter winters wise wolf woman wood woods work worker worth wright
   writer year york young your zone
   academy association authority bureau capital college commission committee company consulting corporation council court
   department digital district division embassy enterprise federal foundation fund government group holdings hospital hotel
   industries institute insurance international investment laboratory library limited logistics management mayor ministry
   museum national network partners press properties public regional research restaurant royal secretary security society
   solutions station store studio technology treasury trust union united university`.split(/\s+/),
);

const minLetters = 3;

/** Words of a name, without signs around them; initials, titles and numbers are none. */
const nameWord = /^[\p{L}][\p{L}\p{M}'’-]*$/u;

/** Words of a full name that point at whoever bears it: of at least three letters, no common words. */
export function partsOfName(name: string): string[] {
  const words = name.split(/[\s,]+/).filter((word) => word !== '');
  if (words.length < 2) return [];
  return [...new Set(words.filter(isTelling))];
}

/** Whether a word can be taken for a person wherever it stands with a capital. */
export function isTelling(word: string): boolean {
  return word.length >= minLetters && nameWord.test(word) && !commonWords.has(word.toLowerCase());
}
