/** Wait for a condition instead of sleeping. */

const LOOK_MS = 5

/**
 * Resolves when `condition` holds, looking every few milliseconds; rejects, with `what`, after `withinMs`. It is looks that are
 * counted: on a machine that is busy, or was stopped in between, they take longer, and so may what is waited for.
 */
export async function until(what: string, condition: () => boolean, withinMs = 10_000): Promise<void> {
  for (let look = 0; !condition(); look++) {
    if (look * LOOK_MS > withinMs) throw new Error(`waited ${withinMs} ms in vain until ${what}`)
    await new Promise((again) => setTimeout(again, LOOK_MS))
  }
}
