/** Wait for a condition instead of sleeping. */

/** Resolves when `condition` holds, looking every few milliseconds; rejects, with `what`, after `withinMs`. */
export async function until(what: string, condition: () => boolean, withinMs = 10_000): Promise<void> {
  const end = Date.now() + withinMs
  while (!condition()) {
    if (Date.now() > end) throw new Error(`waited ${withinMs} ms in vain until ${what}`)
    await new Promise((again) => setTimeout(again, 5))
  }
}
