/** The version of this program, from its package.json. */

import { readFileSync } from 'node:fs'

/** The file is one folder up in the sources and two in dist/. */
function read(): string {
  for (const path of ['../package.json', '../../package.json']) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'))
      if (name === 'eventflow') return version
    } catch {
      // not here: try the next
    }
  }
  return 'unknown'
}

export const VERSION = read()
