/**
 * Tells when files change, are replaced, or come to be. It looks at them every now and then: unlike the system's notices
 * that works through symbolic links and mounted volumes, which is how certificates are replaced in practice.
 */

import { type StatsListener, unwatchFile, watchFile } from 'node:fs'

/** How often a file is looked at, and how long others that change with it are waited for. */
const INTERVAL_MS = 1_000

/** Call `changed` after any of the files has changed. Returns the function that ends it. */
export function watchFiles(paths: readonly string[], changed: () => void): () => void {
  let pending: NodeJS.Timeout | null = null
  const listener: StatsListener = (now, before) => {
    if (now.mtimeMs === before.mtimeMs && now.ino === before.ino && now.size === before.size) return
    // A certificate and its key are two files: half of a pair would be refused.
    pending ??= setTimeout(() => {
      pending = null
      changed()
    }, INTERVAL_MS).unref()
  }
  for (const path of paths) watchFile(path, { interval: INTERVAL_MS, persistent: false }, listener)
  return () => {
    for (const path of paths) unwatchFile(path, listener)
    if (pending !== null) clearTimeout(pending)
  }
}
