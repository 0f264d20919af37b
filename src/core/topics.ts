/** Topic names and filters (MQTT 5.0 section 4.7): validation and matching. Pure functions over strings. */

/** Code of `$`, with which topics begin that no leading wildcard matches [MQTT-4.7.2-1]. */
export const DOLLAR = 36

/** The longest topic, in bytes of UTF-8: what a two-byte length can say [MQTT-1.5.4]. */
export const MAX_TOPIC_BYTES = 65_535

/** Why `topic` is no topic name, or null. */
export function topicProblem(topic: string, maxLevels: number, maxBytes = MAX_TOPIC_BYTES): string | null {
  if (topic.length === 0) return 'a topic has at least one character' // [MQTT-4.7.3-1]
  if (isLonger(topic, maxBytes)) return `a topic has at most ${maxBytes} bytes`
  let levels = 1
  for (let i = 0; i < topic.length; i++) {
    const code = topic.charCodeAt(i)
    if (code === SLASH) levels++
    else if (code === PLUS || code === HASH)
      return 'a topic name has no wildcards' // [MQTT-3.3.2-2]
    else if (code === 0) return 'a topic has no U+0000' // [MQTT-4.7.3-2]
  }
  return levels > maxLevels ? `a topic has at most ${maxLevels} levels` : null
}

/** What a shared subscription begins with: `$share/<group>/<filter>`. */
const SHARE = '$share/'

/** Whether a filter is that of a shared subscription. */
export function isShared(filter: string): boolean {
  return filter.startsWith(SHARE)
}

/** What a subscription could receive: of a (valid) shared one the filter behind its group, else the filter itself. */
export function filterBehind(filter: string): string {
  return isShared(filter) ? filter.slice(filter.indexOf('/', SHARE.length) + 1) : filter
}

/**
 * Why `filter` cannot be subscribed to, or null. Of a shared subscription both parts are looked at, and the levels are
 * those of the filter behind the group.
 */
export function filterProblem(filter: string, maxLevels: number, maxBytes = MAX_TOPIC_BYTES): string | null {
  if (isLonger(filter, maxBytes)) return `a filter has at most ${maxBytes} bytes`
  if (!isShared(filter)) return plainFilterProblem(filter, maxLevels)
  const end = filter.indexOf('/', SHARE.length)
  if (end === -1) return 'a shared subscription is $share/<group>/<filter>' // [MQTT-4.8.2-1]
  const group = filter.slice(SHARE.length, end)
  if (group === '') return 'a group has a name' // [MQTT-4.8.2-1]
  if (hasWildcard(group)) return 'the name of a group has no wildcards' // [MQTT-4.8.2-2]
  const behind = filter.slice(end + 1)
  if (group.includes('\0')) return 'a filter has no U+0000'
  return isShared(behind) ? 'a group shares no group' : plainFilterProblem(behind, maxLevels)
}

/** [MQTT-4.7.1-1, MQTT-4.7.1-2, MQTT-4.7.3-1, MQTT-4.7.3-2] */
function plainFilterProblem(filter: string, maxLevels: number): string | null {
  if (filter.length === 0) return 'a filter has at least one character'
  if (filter.includes('\0')) return 'a filter has no U+0000'
  const levels = filter.split('/')
  if (levels.length > maxLevels) return `a filter has at most ${maxLevels} levels`
  for (let i = 0; i < levels.length; i++) {
    const level = levels[i]!
    if (level.includes('#') && (level !== '#' || i !== levels.length - 1)) return '# stands alone, in the last level'
    if (level.includes('+') && level !== '+') return '+ stands alone in its level'
  }
  return null
}

/** Whether `text` has more bytes of UTF-8: a character has one to three. */
function isLonger(text: string, maxBytes: number): boolean {
  return text.length > maxBytes / 3 && Buffer.byteLength(text) > maxBytes
}

/** Whether a filter has a wildcard. */
export function hasWildcard(filter: string): boolean {
  return filter.includes('+') || filter.includes('#')
}

/**
 * Whether `filter` matches `topic`. Both are valid. A filter that starts with a wildcard matches no topic that starts
 * with `$` [MQTT-4.7.2-1]; `a/#` matches `a` too.
 */
export function matches(filter: string, topic: string): boolean {
  if (topic.charCodeAt(0) === DOLLAR && (filter.charCodeAt(0) === PLUS || filter.charCodeAt(0) === HASH)) return false
  const wanted = filter.split('/')
  const levels = topic.split('/')
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] === '#') return true
    if (i >= levels.length) return false
    if (wanted[i] !== '+' && wanted[i] !== levels[i]) return false
  }
  return wanted.length === levels.length
}

/**
 * Whether everything that `narrow` matches is matched by `wide` as well. Both are filters; a topic is a filter that
 * matches itself alone. What access control asks before it grants a wildcard subscription.
 */
export function covers(wide: string, narrow: string): boolean {
  const narrowStart = narrow.charCodeAt(0)
  const wideStart = wide.charCodeAt(0)
  if (narrowStart === DOLLAR && (wideStart === PLUS || wideStart === HASH)) return false
  const outer = wide.split('/')
  const inner = narrow.split('/')
  for (let i = 0; i < outer.length; i++) {
    if (outer[i] === '#') return true
    if (i >= inner.length) return false
    if (inner[i] === '#') return false
    if (outer[i] !== '+' && outer[i] !== inner[i]) return false
  }
  return outer.length === inner.length
}

const SLASH = 47
const PLUS = 43
const HASH = 35
