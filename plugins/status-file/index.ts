/** The events of the broker in a file, one JSON object a line. Off (options null) unless configured. */

import {
  definePlugin,
  EVENT_TYPES,
  EventflowError,
  type EventType,
  LineFile,
  RARE_EVENT_TYPES,
} from '../../src/plugin.ts'

export interface StatusFileOptions {
  /** Path of the file, relative to the working directory. */
  readonly path: string
  /** Areas (`client`) and events (`client.connected`) that are written; null: all but those that happen as often as messages do. */
  readonly types: readonly string[] | null
  /** Bytes from which on a new file is begun. */
  readonly maxSize: number
  /** Full files that are kept: `path.1` is the latest. */
  readonly maxFiles: number
}

export const statusFile = definePlugin<StatusFileOptions>({
  name: 'status-file',
  setup({ options, chronicle, clock, events, log, node }) {
    const { path, maxSize, maxFiles } = options
    const since = chronicle.sequence
    const file = new LineFile({
      ...{ path, maxBytes: maxSize, maxFiles, clock },
      failed(error) {
        const message = `cannot write ${path}: ${error.message}`
        log.error({ path, node, error }, 'events cannot be written to their file; trying again')
        events.emit('plugin.failed', { plugin: 'status-file', message })
      },
      recovered: (lost) => log.warn({ path, lost }, 'events are written to their file again'),
    })
    let ignore = (): void => {}
    return {
      async start() {
        await file.open().catch((cause: Error) => {
          throw new EventflowError('PLUGIN_FAILED', `${cause.message} (status.file.path)`, { cause })
        })
        // What happened before the file was there, as far as it is remembered: the configuration, the store.
        const types = typesOf(options.types)
        for (const event of chronicle.recent({ type: types, since })) file.write(JSON.stringify(event))
        ignore = chronicle.follow(types, (record) => file.write(record))
      },
      fixed: ['path', 'maxSize', 'maxFiles'],
      reload: (next) => () => {
        ignore()
        ignore = chronicle.follow(typesOf((next as StatusFileOptions).types), (record) => file.write(record))
      },
      async stop() {
        ignore()
        const lost = await file.close()
        if (lost > 0) log.warn({ path, lost }, 'events were not written to their file')
      },
    }
  },
})

function typesOf(names: readonly string[] | null): readonly EventType[] {
  if (names === null) return RARE_EVENT_TYPES
  const wanted = new Set(names)
  return EVENT_TYPES.filter((type) => wanted.has(type) || wanted.has(type.slice(0, type.indexOf('.'))))
}
