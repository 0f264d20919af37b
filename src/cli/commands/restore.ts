/** `eventflow restore`: a data directory out of a backup, for a broker to be started with. */

import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { loadConfig } from '../../config/load.ts'
import { restoreBackup } from '../../store/level/backup/restore.ts'
import { tellCounts, tellResult } from '../backup-report.ts'
import { type Command, flag, text, WronglyCalled } from '../command.ts'

const USAGE = `restore BACKUP [--config FILE] [--data DIR] [--json]

Copies the directory BACKUP to the data directory, which must be empty or not there, and checks every record of
the copy. The backup stays as it is. Then start the broker with the same --data.

  --config FILE      the configuration of the broker
  --data DIR         its data directory (default: store.path)
  --json             print what was restored as an object

Exit codes: 0 done; 1 failed, and nothing is restored; 2 wrongly called.`

export const restore: Command = {
  summary: 'Make a data directory of a backup.',
  usage: USAGE,
  async run(args) {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { config: text, data: text, json: flag },
      allowPositionals: true,
    })
    const [from = '', ...rest] = positionals
    if (from === '' || rest.length > 0) throw new WronglyCalled('takes one directory of a backup')
    const { store } = loadConfig({ file: values.config, flags: { data: values.data }, env: process.env })
    if (store.kind !== 'level')
      throw new Error('the configuration keeps data in memory: there is nothing to restore to')
    const result = await restoreBackup(resolve(from), store.path, (progress) => tellCounts('checked', progress))
    tellResult(`restored to ${resolve(store.path)}`, result, resolve(store.path), values.json ?? false)
    return 0
  },
}
