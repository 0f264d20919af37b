/**
 * A queue of Eventflow beside BullMQ on a Redis that loses nothing either (`appendfsync always`): 4 producers, 4 workers,
 * 64 bytes, on one disk.
 *
 *     apt install redis-server               # the script starts one of its own
 *     npm install --no-save bullmq ioredis
 *     npx tsx test/bench/bullmq.ts [--runs 5] [--seconds 5] [--window 1000] [--batch 100] [--disk .]
 *
 * What makes BullMQ fast is used: producers add jobs by the hundred (`addBulk`, one transaction; `--batch`), workers have a
 * hundred at once under way (`concurrency`), so that their commands share round trips and syncs, and finished jobs are not
 * kept. `--disk` is a folder on the disk to be used. Checks that no message is lost or comes twice; exit code 1 if one is.
 * Not part of CI.
 */

import { execFileSync } from 'node:child_process'
import { Queue, Worker } from 'bullmq'
import {
  type Client,
  CONSUMERS,
  closedLoop,
  PAYLOAD_BYTES,
  PRODUCERS,
  type Progress,
  payloadOf,
} from './rivals/closed-loop.ts'
import { type Contender, compare, folderOf, packageVersion, wordsOf } from './rivals/comparison.ts'
import { eventflowContenders } from './rivals/eventflow.ts'
import { type Server, startEventflow, startRedis } from './rivals/servers.ts'

const QUEUE = 'rivals'
const CONCURRENCY = 100

async function open({ port }: Server, progress: Progress): Promise<Client> {
  const connection = { host: '127.0.0.1', port }
  const failed = (error: unknown): void => progress.failed(error)
  const workers = Array.from({ length: CONSUMERS }, () => {
    const work = async ({ data }: { data: string }): Promise<void> => progress.delivered(Buffer.from(data, 'base64'))
    return new Worker<string>(QUEUE, work, { connection, concurrency: CONCURRENCY })
      .on('error', failed)
      .on('failed', (_job, error) => progress.failed(error))
  })
  const defaultJobOptions = { removeOnComplete: true }
  const producers = Array.from({ length: PRODUCERS }, () =>
    new Queue<string>(QUEUE, { connection, defaultJobOptions }).on('error', failed),
  )
  await Promise.all(workers.map((worker) => worker.waitUntilReady()))
  return {
    publish(producer, first, count) {
      const jobs = Array.from({ length: count }, (_, n) => ({ name: 'job', data: textOf(producer, first + n) }))
      producers[producer]!.addBulk(jobs).then(() => progress.confirmed(producer, count), failed)
    },
    async close() {
      await Promise.all(workers.map((worker) => worker.close()))
      await producers[0]!.obliterate({ force: true })
      await Promise.all(producers.map((queue) => queue.close()))
    },
  }
}

/** Jobs are JSON: 64 characters, and the two quotes around them. */
function textOf(producer: number, sequence: number): string {
  return payloadOf(producer, sequence).toString('base64').slice(0, PAYLOAD_BYTES)
}

const options = wordsOf({ window: 1_000, batch: 100 })
const folder = folderOf(options)
const [redis, eventflow] = await Promise.all([
  startRedis(folder),
  startEventflow(folder, { EVENTFLOW_QUEUE_PREFETCH: String(CONCURRENCY) }),
])
const redisVersion = /v=(\S+)/.exec(execFileSync('redis-server', ['--version'], { encoding: 'utf8' }))?.[1]
const rival: Contender = {
  name: `BullMQ ${packageVersion('bullmq')}, Redis ${redisVersion}, \`appendfsync always\``,
  run: (options) => closedLoop((progress) => open(redis, progress), options, redis.pids),
}
await compare([rival, ...eventflowContenders(eventflow)], options)
await Promise.all([redis.stop(), eventflow.stop()])
