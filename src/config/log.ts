/** The options of the log, and of files that are renamed when they are full. */

import { group, integer, oneOf, optionalGroup, size, text } from './kinds.ts'

/** Where a file is, and how much of it is kept. */
export const filePath = text('the path of a file').describe('Path of the file, relative to the working directory.')

export const fullFiles = {
  maxSize: size(1024, 1024 ** 4)
    .prefault('10MB')
    .describe('Size from which on a new file is begun.'),
  maxFiles: integer(1, 1000).prefault(5).describe('Full files that are kept beside it: path.1 is the latest.'),
}

export const log = group({
  level: oneOf(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .prefault('info')
    .describe('Least severe kind of line that is logged.'),
  format: oneOf(['auto', 'json', 'pretty'])
    .prefault('auto')
    .describe('Lines on standard output: json, pretty for people, or auto: pretty on a terminal, else json.'),
  file: optionalGroup('File that is logged to, as JSON, in place of standard output; null: none.', {
    path: filePath,
    ...fullFiles,
  }),
})
