/** `$delayed/<seconds>/<topic>`: published on `<topic>` after that time, a queue too; from any client, MQTT 3.1.1 as well. */

import { definePlugin } from '../../src/plugin.ts'
import { type DelayedOptions, DelayedTopics } from './delayed-topics.ts'
import { PREFIX } from './names.ts'

export const delayed = definePlugin<DelayedOptions>({
  name: 'delayed',
  setup(context) {
    const topics = new DelayedTopics(context)
    context.namespace(PREFIX, topics)
    return {
      start: () => topics.start(),
      stop: () => topics.stop(),
      reload: (options: DelayedOptions) => () => {
        topics.options = options
      },
    }
  },
})
