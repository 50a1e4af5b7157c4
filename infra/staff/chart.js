/**
 * Bars over time, drawn as SVG at the size that there is, with the same numbers as a table for those who do not see them or
 * want to copy them.
 * @module
 */
import { fresh, h, s } from './dom.js'

/**
 * @typedef {object} Bar
 * @property {string} label Short, for the axis.
 * @property {string} name Of the days.
 * @property {number} value
 * @property {string} shown The value as people read it.
 */

const HEIGHT = 200
const LEFT = 52
const BOTTOM = 24
const TOP = 10

/**
 * @param {{ title: string, summary: string, bars: Bar[], axis: (value: number) => string, isWhole?: boolean }} about `axis` writes
 *   out a value of the axis, and `isWhole` says that there is nothing between 1 and 2.
 */
export function chart({ title, summary, bars, axis, isWhole = false }) {
  const id = fresh('chart')
  const holder = h('div', { class: 'drawing' })
  const rows = bars.map(bar => h('tr', {}, h('th', { scope: 'row' }, bar.name), h('td', { class: 'amount' }, bar.shown)))
  const table = h('details', { id: `${id}-table` }, h('summary', { id: `${id}-summary` }, 'As a table'),
    h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': `${title}, as a table` }, h('table', {},
      h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, 'Days'), h('th', { scope: 'col', class: 'amount' }, title))),
      h('tbody', {}, rows))))
  const figure = h('figure', { class: 'card chart' }, h('figcaption', {}, h('h2', { id }, title), h('p', { class: 'faint' }, summary)), holder, table)
  new ResizeObserver(([{ contentRect }]) => holder.replaceChildren(drawing(Math.floor(contentRect.width)))).observe(holder)

  /** @param {number} width */
  function drawing(width) {
    const scale = scaleOf(bars.map(({ value }) => value), isWhole)
    const room = Math.max(1, width - LEFT)
    const step = room / bars.length
    const bar = Math.max(1, Math.min(step * 0.72, 44))
    /** @param {number} value */
    const y = value => TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - scale.low) / (scale.high - scale.low))
    const lines = scale.ticks.flatMap(tick => [
      s('line', { class: tick === 0 ? 'base' : 'grid', x1: LEFT, x2: width, y1: y(tick), y2: y(tick) }),
      s('text', { class: 'tick', x: LEFT - 8, y: y(tick) + 4, 'text-anchor': 'end' }, axis(tick)),
    ])
    const every = Math.ceil(64 / step)
    const labels = bars.map((one, index) => {
      // The last one is today, more often than not, and counts from the end.
      if ((bars.length - 1 - index) % every !== 0) return null
      const at = LEFT + step * (index + 0.5)
      const isLast = index === bars.length - 1 && step < 40
      return s('text', { class: 'tick', x: isLast ? width : at, y: HEIGHT - 6, 'text-anchor': isLast ? 'end' : 'middle' }, one.label)
    })
    const marks = bars.map((one, index) => {
      const [top, bottom] = [y(Math.max(0, one.value)), y(Math.min(0, one.value))]
      const x = LEFT + step * index
      // A bar that is low can be pointed at anywhere above it, too.
      return s('g', { class: 'bar' },
        s('rect', { class: 'hit', x, y: TOP, width: step, height: HEIGHT - TOP - BOTTOM }),
        one.value !== 0 && s('rect', { class: one.value < 0 ? 'value below' : 'value', x: x + (step - bar) / 2, y: top, width: bar, height: Math.max(1.5, bottom - top), rx: Math.min(3, bar / 3) }),
        s('title', {}, `${one.name}: ${one.shown}`))
    })
    const attributes = { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, role: 'img', 'aria-labelledby': id }
    return s('svg', attributes, lines, labels, marks)
  }

  return figure
}

/**
 * Round numbers around the values, 0 among them.
 * @param {number[]} values
 * @param {boolean} isWhole
 */
function scaleOf(values, isWhole) {
  const [most, least] = [Math.max(0, ...values), Math.min(0, ...values)]
  const rough = (most - least || 1) / 4
  const power = 10 ** Math.floor(Math.log10(rough))
  const factor = [1, 2, 2.5, 5, 10].find(one => one * power >= rough && !(isWhole && !Number.isInteger(one * power))) ?? 10
  const step = isWhole ? Math.max(1, factor * power) : factor * power
  const [low, high] = [Math.floor(least / step) * step, Math.max(step, Math.ceil(most / step) * step)]
  const ticks = Array.from({ length: Math.round((high - low) / step) + 1 }, (_, index) => low + index * step)
  return { low, high, ticks }
}
