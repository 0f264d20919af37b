/**
 * As much of the rivals' clients as the comparisons use. The packages are no dependencies of the project: `npm install
 * --no-save` brings them in, and types are checked without them.
 */

declare module 'amqplib' {
  export interface Delivery {
    content: Buffer
  }
  export interface ConfirmChannel {
    assertQueue(queue: string, options: { durable: boolean; arguments: Record<string, unknown> }): Promise<unknown>
    deleteQueue(queue: string): Promise<unknown>
    prefetch(count: number): Promise<unknown>
    consume(queue: string, onMessage: (delivery: Delivery | null) => void): Promise<unknown>
    sendToQueue(
      queue: string,
      content: Buffer,
      options: { persistent: boolean },
      confirmed: (error: unknown) => void,
    ): boolean
    ack(delivery: Delivery): void
  }
  export interface Connection {
    connection: { serverProperties: { version: string } }
    createConfirmChannel(): Promise<ConfirmChannel>
    on(event: 'error', listener: (error: Error) => void): this
    close(): Promise<void>
  }
  const amqplib: { connect(url: string): Promise<Connection> }
  export default amqplib
}

declare module 'bullmq' {
  interface Connected {
    connection: { host: string; port: number }
  }
  export class Queue<T> {
    constructor(name: string, options: Connected & { defaultJobOptions: { removeOnComplete: boolean } })
    addBulk(jobs: Array<{ name: string; data: T }>): Promise<unknown>
    obliterate(options: { force: boolean }): Promise<void>
    on(event: 'error', listener: (error: Error) => void): this
    close(): Promise<void>
  }
  export class Worker<T> {
    constructor(name: string, work: (job: { data: T }) => Promise<void>, options: Connected & { concurrency: number })
    waitUntilReady(): Promise<unknown>
    on(event: 'error' | 'failed', listener: (...args: unknown[]) => void): this
    close(): Promise<void>
  }
}
