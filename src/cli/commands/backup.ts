/**
 * `eventflow backup`: by the broker that has the data open, over its API; where none has, this command opens it itself. Either
 * way a directory means the same: it is below `store.backupPath`, on the machine where the data is.
 */

import { resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { loadConfig } from '../../config/load.ts'
import type { Config } from '../../config/schema.ts'
import { EventflowError } from '../../core/errors.ts'
import type { BackupStatus } from '../../store/backups.ts'
import { backUpOffline, hasStore } from '../../store/level/backup/offline-backup.ts'
import { API_OPTIONS, API_USAGE, Api } from '../api.ts'
import { tellCounts, tellResult } from '../backup-report.ts'
import { type Command, text, WronglyCalled } from '../command.ts'

const USAGE = `backup DIR [--config FILE] [--data DIR] [--url URL]

DIR is a directory that is empty or not there: absolute, or relative to store.backupPath. A running broker
writes it itself, below store.backupPath only, and goes on meanwhile. Without --url the data that the
configuration names is backed up: by this command where no broker has it open, else by the broker, which has to
offer HTTP.

  --config FILE      the configuration of the broker
  --data DIR         its data directory${API_USAGE}`

const POLL_MS = 200

export const backup: Command = {
  summary: 'Copy all data to a directory, consistently, while the broker runs or not.',
  usage: USAGE,
  async run(args) {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { ...API_OPTIONS, config: text, data: text },
      allowPositionals: true,
    })
    const [directory = '', ...rest] = positionals
    if (directory === '' || rest.length > 0) throw new WronglyCalled('takes one directory')
    const json = values.json ?? false
    if (values.url !== undefined || process.env.EVENTFLOW_URL) {
      await backUpOnline(await Api.of(values), directory, json)
      return 0
    }
    const config = loadConfig({ file: values.config, flags: { data: values.data }, env: process.env })
    if (!(await backUpHere(config, directory, json))) {
      await backUpOnline(await Api.of({ ...values, url: urlOf(config) }), directory, json)
    }
    return 0
  },
}

/** False: a broker has the data open, or it is elsewhere. */
async function backUpHere({ store }: Config, directory: string, json: boolean): Promise<boolean> {
  if (store.kind !== 'level' || !(await hasStore(store.path))) return false
  const path = resolve(store.backupPath, directory)
  try {
    const result = await backUpOffline(store.path, { path, onProgress: (progress) => tellCounts('copied', progress) })
    if (result.passedOver > 0) {
      process.stderr.write(`warning: ${result.passedOver} bytes of the log in ${store.path} cannot be read\n`)
    }
    tellResult(`written to ${path}`, result, path, json)
    return true
  } catch (error) {
    if (error instanceof EventflowError && error.code === 'STORE_LOCKED') return false
    throw error
  }
}

async function backUpOnline(api: Api, directory: string, json: boolean): Promise<void> {
  const begun = (await api.call('POST', '/backup', { path: directory })) as BackupStatus
  for (let status = begun; ; status = (await api.call('GET', '/backup')) as BackupStatus) {
    if (status.path !== begun.path || status.startedAt !== begun.startedAt) {
      throw new Error(`${api.url}: the broker was started anew, or wrote another backup since; is ${begun.path} there?`)
    }
    if (status.state === 'failed') throw new Error(`${api.url}: ${status.fault!.message}`)
    if (status.state === 'finished') return tellResult(`written to ${status.path}`, status, status.path, json)
    tellCounts('copied', status)
    await pause(POLL_MS)
  }
}

/** Where the broker of this configuration offers HTTP; undefined: it does not say. */
function urlOf({ http: { host, port } }: Config): string | undefined {
  if (port === null || port === 0) return undefined
  const reached = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return `http://${reached.includes(':') ? `[${reached}]` : reached}:${port}`
}
