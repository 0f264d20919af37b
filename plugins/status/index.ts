/** Status: every event in the broker on one topic, and on a topic for each kind of event. */

import { definePlugin } from '../../src/plugin.ts'
import { PREFIX } from './event-topic.ts'
import { StatusFeed } from './feed.ts'

export interface StatusOptions {
  /** The topic that has all events: a topic name that starts with `$eventflow/`. */
  readonly topic: string
}

export const status = definePlugin<StatusOptions>({
  name: 'status',
  setup(context) {
    const { options, clock, events, chronicle, log } = context
    const feed = new StatusFeed({ topic: options.topic, clock, events, chronicle, log })
    context.namespace(PREFIX, feed)
    return {
      // How many events are kept is for the broker, which keeps them without a reader of status too.
      reload: (options) => () => feed.change((options as StatusOptions).topic),
      stop() {
        feed.stop()
        if (feed.dropped > 0) log.info({ dropped: feed.dropped }, 'readers of status were too slow for some messages')
      },
    }
  },
})
