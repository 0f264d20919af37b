/**
 * Whether two filters can both match one topic. What a deny rule asks of a subscription: it must not let in a message
 * that the rule is about. Symmetric; `covers` of core/topics is the other half.
 */

/** Whether there is a topic that both filters match. A topic is a filter that matches itself alone. */
export function overlaps(one: string, other: string): boolean {
  if (missesDollar(one, other) || missesDollar(other, one)) return false
  const left = one.split('/')
  const right = other.split('/')
  const shared = Math.min(left.length, right.length)
  for (let i = 0; i < shared; i++) {
    const a = left[i]
    const b = right[i]
    if (a === '#' || b === '#') return true
    if (a !== '+' && b !== '+' && a !== b) return false
  }
  // One has ended: the other may go on with '#' alone, which matches its parent too.
  return left.length === right.length || left[shared] === '#' || right[shared] === '#'
}

/** A filter that starts with a wildcard matches no topic that starts with '$' [MQTT-4.7.2-1]. */
function missesDollar(wild: string, plain: string): boolean {
  return (wild.startsWith('+') || wild.startsWith('#')) && plain.startsWith('$')
}
