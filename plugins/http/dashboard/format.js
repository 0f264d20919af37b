/** Numbers, sizes and times as people read them. */

const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })
const whole = new Intl.NumberFormat('en')
const SECONDS = { hour: '2-digit', minute: '2-digit', second: '2-digit' }
const UNITS = ['B', 'kB', 'MB', 'GB', 'TB']

export const count = (number) => (number < 100_000 ? whole.format(number) : compact.format(number))

export const rate = (perSecond) => compact.format(perSecond)

export function size(bytes) {
  let unit = 0
  let rest = bytes
  for (; rest >= 1000 && unit < UNITS.length - 1; unit++) rest /= 1000
  return `${rest >= 100 || unit === 0 ? Math.round(rest) : rest.toFixed(1)} ${UNITS[unit]}`
}

/** `90061` as `1 d 1 h`: the two largest units. */
export function duration(seconds) {
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [Math.floor(seconds) % 60, 's'],
  ]
  const first = parts.findIndex(([number]) => number > 0)
  if (first === -1) return '0 s'
  return parts
    .slice(first, first + 2)
    .map(([number, unit]) => `${number} ${unit}`)
    .join(' ')
}

/** How long ago a time was, in its largest unit. */
export function age(time) {
  return duration(Math.max(0, (Date.now() - Date.parse(time)) / 1000))
    .split(' ', 2)
    .join(' ')
}

/** `1 message`, `2 messages`. */
export const counted = (number, noun) => `${count(number)} ${noun}${number === 1 ? '' : 's'}`

/** Time of day, to the second or the millisecond. */
export function clock(time, digits = 0) {
  return new Date(time).toLocaleTimeString('en-GB', {
    ...SECONDS,
    ...(digits > 0 && { fractionalSecondDigits: digits }),
  })
}

/** A time with its day, where that is not today. */
export function moment(time) {
  const date = new Date(time)
  const today = date.toDateString() === new Date().toDateString()
  return today ? clock(time) : `${date.toLocaleDateString('en-CA')} ${clock(time)}`
}
