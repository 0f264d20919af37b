/**
 * Writing a file with secrets: whole or not at all, and for its owner's eyes. Whoever reads it meanwhile sees the old
 * file or the new one. An old file's owner stays, so that root may change the file of a broker that is not root.
 */

import { randomBytes } from 'node:crypto'
import { chown, open, realpath, rename, rm, stat } from 'node:fs/promises'

/** Write `text` to `path`. A new file has mode 0600; an old one keeps its owner and whether its group may read it. */
export async function writeSecretFile(path: string, text: string): Promise<void> {
  // Through a symbolic link to the file itself: a rename would put the file in the link's place.
  const target = await realpath(path).catch(orAbsent(path))
  const old = await stat(target).catch(orAbsent(null))
  const draft = `${target}.${randomBytes(6).toString('hex')}.new`
  try {
    const file = await open(draft, 'wx', 0o600)
    try {
      await file.writeFile(text)
      if (old !== null) {
        const made = await file.stat()
        if (made.uid !== old.uid || made.gid !== old.gid) await chown(draft, old.uid, old.gid)
        await file.chmod(0o600 | (old.mode & 0o040)) // after chown, or the wrong group could read
      }
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(draft, target)
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  }
}

/** What stands for a file that is not there; any other fault stays one. */
function orAbsent<T>(value: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code === 'ENOENT') return value
    throw error
  }
}
