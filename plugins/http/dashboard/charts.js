/** Small charts of the last minutes. Beside each its numbers are told as text: those of now, or of where the pointer is. */

import { $, el, setText } from './dom.js'
import { clock } from './format.js'
import UPlot from './uplot.js'

/** What a chart shows: as much as there is, within these. */
const LEAST_S = 60
const MOST_S = 300
const HEIGHT = 140
/** Between the lines of the grid: whole numbers, for what is counted. */
const STEPS = Array.from({ length: 13 }, (_, power) => [1, 2, 5].map((digit) => digit * 10 ** power)).flat()

const dark = matchMedia('(prefers-color-scheme: dark)')

export class Chart {
  #plot = null
  #place
  #series
  #format
  #times = []
  #values
  #labels
  #when

  /** @param series `[{ name, mark }]`; `mark` names the colour: `received` is `--received` */
  constructor(figure, series, format) {
    this.#series = series
    this.#format = format
    this.#values = series.map(() => [])
    this.#place = $('.plot', figure)
    this.#labels = series.map(() => el('span', { class: 'value' }, '–'))
    const entries = series.map(({ name, mark }, i) =>
      el('span', {}, el('span', { class: `mark ${mark}` }), `${name} `, this.#labels[i]),
    )
    this.#when = el('span', { class: 'quiet' })
    $('.legend', figure).append(...entries, this.#when)
    new ResizeObserver(() => this.#fit()).observe(this.#place)
    dark.addEventListener('change', () => this.#draw())
  }

  /** @param time in seconds */
  add(time, values) {
    this.#times.push(time)
    for (const [i, value] of values.entries()) this.#values[i].push(value)
    while (this.#times[0] < time - MOST_S) {
      this.#times.shift()
      for (const list of this.#values) list.shift()
    }
    this.#plot?.setData([this.#times, ...this.#values])
    this.#tell(this.#plot?.cursor.idx)
  }

  #tell(index) {
    const at = index ?? this.#times.length - 1
    for (const [i, label] of this.#labels.entries()) {
      const value = this.#values[i][at]
      setText(label, value == null ? '–' : this.#format(value))
    }
    setText(this.#when, index == null ? '' : `at ${clock(this.#times[at] * 1000)}`)
  }

  #fit() {
    const width = this.#place.clientWidth
    if (width === 0) return
    if (this.#plot === null) this.#draw()
    else this.#plot.setSize({ width, height: HEIGHT })
  }

  /** From the beginning: a chart takes its colours when it is made. */
  #draw() {
    this.#plot?.destroy()
    this.#plot = null
    const width = this.#place.clientWidth
    if (width === 0) return
    const options = {
      ...{ width, height: HEIGHT, padding: [8, 22, 0, 0], legend: { show: false } },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
      scales: {
        x: { range: (_plot, min, max) => [Math.min(min ?? 0, (max ?? 0) - LEAST_S), max ?? 0] },
        y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.15 : 1] },
      },
      axes: axes(this.#format),
      series: [{}, ...this.#series.map(line)],
      hooks: { setCursor: [(plot) => this.#tell(plot.cursor.idx)] },
    }
    this.#plot = new UPlot(options, [this.#times, ...this.#values], this.#place)
  }
}

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()

function axes(format) {
  const axis = {
    ...{ stroke: color('quiet'), font: '11px system-ui, sans-serif' },
    ...{ grid: { stroke: color('line'), width: 1 }, ticks: { show: false } },
  }
  return [
    { ...axis, size: 24, space: 76, values: (_plot, times) => timesOfDay(times) },
    { ...axis, size: 58, space: 30, incrs: STEPS, values: (_plot, values) => values.map(format) },
  ]
}

/** The first one is filled below; two that are would mix. */
function line({ name, mark }, index) {
  const fill = index === 0 && { fill: `${color(mark)}1a` }
  return { label: name, stroke: color(mark), width: 2, points: { show: false }, ...fill }
}

/** Seconds are told where the lines of the grid are not minutes. */
function timesOfDay(times) {
  const length = times.every((time) => time % 60 === 0) ? 5 : 8
  return times.map((time) => clock(time * 1000).slice(0, length))
}
