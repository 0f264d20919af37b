/** `$delayed/<seconds>/<topic>`: published on `<topic>` after that time, a queue too; from any client, MQTT 3.1.1 as well. */

import { definePlugin } from '../../src/plugin.ts'
import { DelayedTopics } from './delayed-topics.ts'
import { PREFIX } from './names.ts'

export const delayed = definePlugin({
  name: 'delayed',
  setup(context) {
    const topics = new DelayedTopics(context)
    context.namespace(PREFIX, topics)
    return { start: () => topics.start(), stop: () => topics.stop() }
  },
})
