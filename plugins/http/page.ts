/**
 * Pages of a long list that stay right while it changes: sorted by a key, each page after the last key of the one before. What
 * came or went meanwhile is in its place or missing, and nothing else is left out or told twice.
 */

/** Looked at in one go; then others have a turn of the event loop. */
const SLICE = 5_000

export interface Page<T> {
  items: T[]
  /** What to ask for the next page with; null: this is the last one. */
  next: string | null
}

/**
 * The `limit` entries with the smallest keys beyond `after`, of those that are wanted. Keys are compared as text, and no two are
 * equal.
 */
export async function pageOf<T>(
  all: Iterable<T>,
  keyOf: (entry: T) => string,
  { after = '', limit }: { after?: string | undefined; limit: number },
  isWanted: (entry: T) => boolean = () => true,
): Promise<Page<T>> {
  const found: Array<{ key: string; entry: T }> = []
  let looked = 0
  for (const entry of all) {
    if (++looked % SLICE === 0) await new Promise(setImmediate)
    const key = keyOf(entry)
    if (key <= after || !isWanted(entry)) continue
    found.push({ key, entry })
    // One more than asked for says that there is a next page.
    if (found.length > 2 * limit + SLICE) shorten(found, limit + 1)
  }
  shorten(found, limit + 1)
  const items = found.slice(0, limit)
  return { items: items.map(({ entry }) => entry), next: found.length > limit ? items.at(-1)!.key : null }
}

function shorten(found: Array<{ key: string }>, length: number): void {
  found.sort((a, b) => (a.key < b.key ? -1 : 1))
  found.length = Math.min(found.length, length)
}
