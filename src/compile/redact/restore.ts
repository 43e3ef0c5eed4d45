/** Placeholders back into values, where the vault has them. */
import { Place } from './place.ts';
import type { PlaceholderStore, SessionName } from './placeholder-store.ts';
import { placeholderOf, placeholdersIn } from './placeholders.ts';
import { openVault } from './vault.ts';
import { rawAt, viewsOf } from './views.ts';

/** Puts values into a text: as they are, or, within strings of JSON, as they are written there. */
export type Restore = (text: string) => string;

/**
 * For one session. Secrets are in no vault, nor is what was dropped: their placeholders stay.
 *
 * @throws OperatorError `vault_key` where the key is another one.
 */
export async function openRestore(
  placeholders: PlaceholderStore,
  session: SessionName,
  vaultKey: string,
): Promise<{ restore: Restore; values: number }> {
  const vault = openVault(vaultKey);
  const values = new Map<string, string>();
  for (const { kind, number, hash, sealed } of await placeholders.sealed(session)) {
    values.set(placeholderOf(kind, number), vault.open(session, { kind, hash }, sealed));
  }
  return { restore: (text) => restoreText(text, values), values: values.size };
}

const nowhere = { key: null, path: [] };

function restoreText(text: string, values: ReadonlyMap<string, string>): string {
  const parts: string[] = [];
  let copied = 0;
  for (const view of viewsOf(text, new Place(() => [], nowhere))) {
    for (const { from, to } of placeholdersIn(view.value)) {
      const value = values.get(view.value.slice(from, to));
      const begin = rawAt(view, from);
      if (value === undefined || begin < copied) continue;
      parts.push(text.slice(copied, begin), written(value, view.depth));
      copied = rawAt(view, to);
    }
  }
  return parts.join('') + text.slice(copied);
}

/** As it stands within so many strings of JSON. */
function written(value: string, depth: number): string {
  let text = value;
  for (let level = 0; level < depth; level++) text = JSON.stringify(text).slice(1, -1);
  return text;
}
