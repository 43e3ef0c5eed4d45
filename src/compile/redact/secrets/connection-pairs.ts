/**
 * Connection strings made of pairs: ADO.NET and ODBC (`Server=…;Password=…;`), Azure (`AccountName=…;AccountKey=…`),
 * libpq (`host=… password=…`), JDBC with properties after a semicolon. What stands in the same string is masked with it.
 */
import type { Detection } from '../detection.ts';

/** How far before the password its string may begin, and how far behind it end. */
const reach = 300;

const firstPair =
  /(?:^|[;\s,(=])((?:jdbc:|(?:server|data source|host|hostaddr|hostname|addr|address|network address|endpoint|database|initial catalog|dbname|user id|uid|user|username|accountname|defaultendpointsprotocol|sharedaccesskeyname|driver|port)\s?=(?!=))(?:(?!, )[^\n])*)$/i;
const delimiters = /[\n\r"'`⟦⟧<>{}]/g;
const morePairs = /(?:;\s?|[ &])(?:[A-Za-z][A-Za-z ]{0,30}=[^;"'`\s⟦⟧<>&]*(?:;(?=\s|$))?)/y;

/** @param nameAt where the name of the password begins @param valueTo where the password ends */
export function connectionAround(text: string, nameAt: number, valueTo: number): Detection | null {
  const before = text.slice(Math.max(0, nameAt - reach), nameAt);
  if (!before.includes('=') || !/[;\s?&]$/.test(before)) return null;
  const head = before.slice(endOfLast(delimiters, before));
  const pairs = firstPair.exec(head);
  if (pairs === null) return null;
  const from = nameAt - pairs[1]!.length;
  let to = valueTo;
  while (to - valueTo < reach) {
    morePairs.lastIndex = to;
    if (!morePairs.test(text)) break;
    to = morePairs.lastIndex;
  }
  return { kind: 'CONNECTION_STRING', from, to, certain: false };
}

function endOfLast(pattern: RegExp, text: string): number {
  let end = 0;
  for (const match of text.matchAll(pattern)) end = match.index + match[0].length;
  return end;
}
