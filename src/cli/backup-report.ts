/** What `eventflow backup` and `eventflow restore` say: how far it is, on a terminal only, and what came of it. */

import { tellProgress } from './progress.ts'
import { printable } from './table.ts'

interface Counts {
  records: number
  bytes: number
  damaged: number
  damagedKeys: readonly string[]
}

export function tellCounts(verb: string, { records, bytes }: Counts): void {
  tellProgress(`${verb} ${amountOf(records, bytes)} …`)
}

/** @param done such as `written to /backups/monday` */
export function tellResult(done: string, { damagedKeys, ...counts }: Counts, path: string, json: boolean): void {
  tellProgress('')
  const { records, bytes, damaged } = counts
  if (damaged > 0) {
    const more = damaged > damagedKeys.length ? ' and others' : ''
    const names = `${damagedKeys.map(printable).join('; ')}${more}`
    process.stderr.write(`warning: ${damaged} of the records are damaged, and are copied as they are: ${names}\n`)
  }
  if (json) process.stdout.write(`${JSON.stringify({ path, ...counts, damagedKeys })}\n`)
  else process.stdout.write(`${amountOf(records, bytes)} ${done}\n`)
}

function amountOf(records: number, bytes: number): string {
  return `${records} ${records === 1 ? 'record' : 'records'}, ${(bytes / 1_000_000).toFixed(1)} MB`
}
