/** Whether something could be written where the configuration says, told without writing it. */

import { access, constants, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

/**
 * Why a file, or files in a directory, cannot be written at `path`, which need not be there yet, nor the directories above it.
 * Null: nothing speaks against it.
 */
export async function writeProblem(path: string, kind: 'file' | 'directory'): Promise<string | null> {
  const there = await stat(path).catch((error: NodeJS.ErrnoException) => error.code ?? 'unknown')
  if (typeof there === 'string') return there === 'ENOENT' ? problemAbove(path) : `cannot be written (${there})`
  if (kind === 'file' && there.isDirectory()) return 'is a directory, not a file'
  if (kind === 'directory' && !there.isDirectory()) return 'is a file, not a directory'
  return accessProblem(path)
}

/** It would be made in the nearest directory that is there. */
async function problemAbove(path: string): Promise<string | null> {
  const above = dirname(resolve(path))
  const there = await stat(above).catch(() => null)
  if (there === null && above !== dirname(above)) return problemAbove(above)
  return there?.isDirectory() ? accessProblem(above) : `cannot be made: ${above} is no directory`
}

function accessProblem(path: string): Promise<string | null> {
  return access(path, constants.W_OK).then(
    () => null,
    ({ code }: NodeJS.ErrnoException) => `cannot be written: ${path} (${code})`,
  )
}
