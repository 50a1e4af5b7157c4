/**
 * Forms: fields with what is wrong with them beside them, and dialogs that send them.
 * @module
 */
import { newKey, Problem } from './api.js'
import { announce, fresh, h, swap } from './dom.js'

/** @import { Child, Attributes } from './dom.js' */

/**
 * @typedef {object} Field
 * @property {HTMLElement} element
 * @property {string[]} pointers What the API calls it.
 * @property {(text: string) => void} wrong Says what is wrong with it, or nothing any more.
 * @property {() => void} focus
 */

/**
 * @typedef {object} About
 * @property {string} label
 * @property {string} name
 * @property {string | string[]} [pointer] What problems call it; `/name` unless given.
 * @property {string} [hint]
 * @property {string} [value]
 * @property {[string, string][]} [options] Value and label of each choice.
 * @property {number} [rows] Makes it a text of several lines.
 * @property {Attributes} [attributes] Of the input.
 */

/** @param {About} about @returns {Field & { input: HTMLInputElement }} */
export function field({ label, name, pointer = `/${name}`, hint, value = '', options, rows, attributes = {} }) {
  const id = fresh(name)
  const described = `${hint ? `${id}-hint ` : ''}${id}-error`
  const common = { id, name, 'aria-describedby': described, ...attributes }
  let input
  if (options) {
    input = h('select', common, options.map(([key, text]) => h('option', { value: key, selected: key === value }, text)))
  } else if (rows) {
    input = h('textarea', { ...common, rows }, value)
  } else {
    input = h('input', { type: 'text', autocomplete: 'off', value, ...common })
  }
  const error = h('p', { class: 'wrong', id: `${id}-error` })
  const hinted = hint && h('p', { class: 'hint', id: `${id}-hint` }, hint)
  return {
    element: h('div', { class: 'field' }, h('label', { for: id }, label), input, hinted, error),
    input: /** @type {HTMLInputElement} */ (input),
    pointers: [pointer].flat(),
    wrong: text => mark(input, error, text),
    focus: () => input.focus(),
  }
}

/**
 * Several inputs that problems name together, such as the quantities of a parcel.
 * @param {{ legend: string, pointer: string | string[], hint?: string }} about
 * @param {HTMLElement} content
 * @returns {Field}
 */
export function group({ legend, pointer, hint }, content) {
  const id = fresh('group')
  const error = h('p', { class: 'wrong', id: `${id}-error` })
  const hinted = hint && h('p', { class: 'hint' }, hint)
  const element = h('fieldset', { 'aria-describedby': error.id }, h('legend', {}, legend), hinted, content, error)
  return {
    element,
    pointers: [pointer].flat(),
    wrong: text => mark(element, error, text),
    focus: () => element.querySelector('input')?.focus(),
  }
}

/** @param {HTMLElement} input @param {HTMLElement} error @param {string} text */
function mark(input, error, text) {
  error.textContent = text
  if (text) input.setAttribute('aria-invalid', 'true')
  else input.removeAttribute('aria-invalid')
}

/**
 * Puts what a problem says beside the fields that it names, and the rest into the box; moves the focus to the first.
 * @param {unknown} error
 * @param {Field[]} fields
 * @param {HTMLElement} box
 */
export function show(error, fields, box) {
  if (!(error instanceof Problem)) throw error
  for (const one of fields) one.wrong('')
  const rest = []
  let first
  for (const { pointer, header, parameter, detail } of error.errors) {
    const at = pointer ?? parameter ?? ''
    const is = fields.find(({ pointers }) => pointers.includes(at)) ?? fields.find(({ pointers }) => pointers.some(p => at.startsWith(`${p}/`)))
    is?.wrong(sentence(detail))
    first ??= is
    if (!is) rest.push(`${pointer ?? header ?? parameter}: ${detail}`)
  }
  const isSaid = error.errors.length > 0 && rest.length === 0
  const lines = isSaid ? ['Please look at what is marked.'] : error.errors.length > 0 ? rest : [error.message]
  if (error.isUncertain) lines.push('It is not known whether it was done. Sending the same again is safe.')
  if (error.requestId && error.status >= 500) lines.push(`Request ${error.requestId}`)
  swap(box, lines.map(line => h('p', {}, line)))
  if (first) first.focus()
  else box.focus()
}

/** What is wrong with a field begins in the middle of a sentence. @param {string} text */
function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

/** Where a form says what went wrong. */
export function errorBox() {
  return h('div', { class: 'errors', role: 'alert', tabindex: -1 })
}

/**
 * @typedef {object} Dialog
 * @property {string} title
 * @property {Child[]} [intro]
 * @property {Field[]} [fields]
 * @property {string} submit What the button says.
 * @property {boolean} [danger] Whether it cannot be undone.
 * @property {() => unknown} [read] The body, from the fields; throws a Problem where they cannot be read.
 * @property {(body: any) => string} [confirm] What is about to happen, where money moves: it is asked once more.
 * @property {(body: any, key: string) => Promise<any>} send
 * @property {string} done What is announced when it is done.
 * @property {(answer: any) => void} [then]
 */

/**
 * Opens a form in a dialog. Its key is that of the attempt: it stays the same while nobody knows whether the last one came
 * through, so that it cannot be done twice, and is another one after a refusal.
 * @param {Dialog} about
 */
export function dialog({ title, intro = [], fields = [], submit, danger, read = () => undefined, confirm, send, done, then }) {
  let key = newKey()
  let isBusy = false
  /** @type {unknown} What was confirmed. */
  let confirmed
  const from = document.activeElement?.id
  const box = errorBox()
  const content = h('div', { class: 'content' }, intro, fields.map(({ element }) => element))
  const question = h('p', { class: 'question', tabindex: -1 })
  const button = h('button', { class: danger ? 'danger' : 'primary' }, confirm ? `${submit} …` : submit)
  const back = h('button', { type: 'button' }, 'Cancel')
  const heading = h('h2', { id: fresh('dialog') }, title)
  const form = h('form', { novalidate: true, submit: step }, heading, box, content, question, h('div', { class: 'buttons' }, button, back))
  const element = h('dialog', { 'aria-labelledby': heading.id, close: gone }, form)
  back.addEventListener('click', () => (confirmed === undefined ? element.close() : ask(undefined)))
  document.body.append(element)
  element.showModal()
  /** @type {HTMLElement} */
  const first = content.querySelector('[autofocus]') ?? content.querySelector('input, select, textarea') ?? button
  first.focus()

  /** Asks whether that is meant, or goes back to the fields. @param {unknown} body */
  function ask(body) {
    confirmed = body
    content.hidden = body !== undefined
    question.textContent = body === undefined ? '' : (confirm?.(body) ?? '')
    button.textContent = body === undefined ? `${submit} …` : submit
    back.textContent = body === undefined ? 'Cancel' : 'Back'
    if (body === undefined) content.querySelector('input')?.focus()
    else question.focus()
  }

  /** @param {Event} event */
  async function step(event) {
    event.preventDefault()
    if (isBusy) return
    box.replaceChildren()
    isBusy = true
    form.setAttribute('aria-busy', 'true')
    try {
      const body = confirmed ?? read()
      if (confirm && confirmed === undefined) return ask(body)
      const answer = await send(body, key)
      element.close()
      announce(done)
      then?.(answer)
    } catch (error) {
      if (!(error instanceof Problem && error.isUncertain)) key = newKey()
      if (confirmed !== undefined) ask(undefined)
      show(error, fields, box)
    } finally {
      isBusy = false
      form.removeAttribute('aria-busy')
    }
  }

  function gone() {
    element.remove()
    // What it was opened from may have been drawn anew meanwhile.
    if (from) document.getElementById(from)?.focus()
  }
}

/** A refusal of this page's own, at one field. @param {string} pointer @param {string} detail */
export function refusal(pointer, detail) {
  return new Problem(422, { type: 'invalid', detail, errors: [{ pointer, detail }] })
}
