/**
 * The process that is killed: appends in turns of a random size, each turn one batch, and prints the ids of a turn once
 * they are durable. It also removes and prints what it removed, and holds a few turns in flight.
 */

import { Message } from '../../src/core/message.ts'
import { openStore } from '../../src/store/open.ts'

const [path = '', seedText = '1'] = process.argv.slice(2)
let seed = Number(seedText)

function random(below: number): number {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
  return Math.floor((seed / 2 ** 32) * below)
}

/** Writing to a pipe is synchronous on Linux and macOS: what was said was said, whatever comes. */
function say(report: object): void {
  process.stdout.write(`${JSON.stringify(report)}\n`)
}

const store = await openStore({
  kind: 'level',
  path,
  onFault: (error) => {
    throw error
  },
})

const kept: number[] = []
for (let turn = 0; ; turn++) {
  const size = 1 + random(20)
  const ids: number[] = []
  for (let n = 0; n < size; n++) {
    const payload = Buffer.from(JSON.stringify({ turn: `${seedText}/${turn}`, size }))
    const message = Message.of({ topic: 'queue/crash', payload, qos: 1 })
    ids.push(store.queues.append('crash', { message, qos: 1, retain: false, identifiers: null }))
  }
  // A whole turn goes at a time, so that what is left are whole turns too.
  const removed = kept.length > 200 ? kept.splice(0) : []
  // Said before it is done: when the kill comes before the removal is reported, it may or may not have happened.
  if (removed.length > 0) say({ removing: removed })
  for (const id of removed) store.queues.remove('crash', id)
  const durable = store.durable().then(() => {
    kept.push(...ids)
    say({ ids, removed })
  })
  if (random(3) === 0) await durable
  else await new Promise((resolve) => setImmediate(resolve))
}
