/**
 * Logging in, and the second factor without which staff may do nothing.
 * @module
 */
import { account, ask, begin, logIn, logOut, Problem } from './api.js'
import { h, swap } from './dom.js'
import { errorBox, field, show } from './form.js'

/**
 * Shows the form, and the one for a code where the account wants one.
 * @param {HTMLElement} main
 * @param {string} reason Why somebody has to log in who was logged in.
 * @param {() => void} then
 */
export function showLogIn(main, reason, then) {
  document.title = 'Log in · Waybill staff'
  const box = errorBox()
  const email = field({ label: 'E-mail address', name: 'email', attributes: { type: 'email', autocomplete: 'username' } })
  const password = field({ label: 'Password', name: 'password', attributes: { type: 'password', autocomplete: 'current-password' } })
  const code = field({
    label: 'Code',
    name: 'code',
    hint: 'Six digits, from your authenticator app.',
    attributes: { inputmode: 'numeric', autocomplete: 'one-time-code', maxlength: 6 },
  })
  const recovery = field({ label: 'Recovery code', name: 'recovery_code', hint: 'One of those that you wrote down. It is good once.' })
  const other = h('button', { type: 'button', class: 'link', click: useOther }, 'Use a recovery code')
  const first = h('div', {}, email.element, password.element)
  const second = h('div', { hidden: true }, code.element, recovery.element, other)
  recovery.element.hidden = true
  const button = h('button', { class: 'primary' }, 'Log in')
  const notice = reason && h('p', { class: 'notice', role: 'status' }, reason)
  const form = h('form', { novalidate: true, submit, class: 'card log-in' }, h('h1', {}, 'Waybill staff'), notice, box, first, second, button)
  swap(main, form)
  email.focus()

  function useOther() {
    const wasRecovery = !recovery.element.hidden
    recovery.element.hidden = wasRecovery
    code.element.hidden = !wasRecovery
    other.textContent = wasRecovery ? 'Use a recovery code' : 'Use the authenticator app'
    const shown = wasRecovery ? code : recovery
    shown.focus()
  }

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault()
    if (form.hasAttribute('aria-busy')) return
    form.setAttribute('aria-busy', 'true')
    box.replaceChildren()
    const who = { email: email.input.value, password: password.input.value }
    const typed = code.input.value.replaceAll(/\s/g, '')
    const proof = second.hidden ? {} : recovery.element.hidden ? { code: typed } : { recovery_code: recovery.input.value.trim() }
    try {
      await logIn({ ...who, ...proof })
      then()
    } catch (error) {
      const isAsked = error instanceof Problem && error.kind === 'second-factor' && second.hidden
      if (isAsked) askForCode()
      else show(error, [email, password, code, recovery], box)
    } finally {
      form.removeAttribute('aria-busy')
    }
  }

  function askForCode() {
    // The fields stay in the form, so that a password manager sees what was sent.
    first.hidden = true
    second.hidden = false
    code.focus()
  }
}

/**
 * For staff whose account has no second factor yet: sets it up.
 * @param {HTMLElement} main
 * @param {() => void} then
 */
export function showSetUp(main, then) {
  document.title = 'Second factor · Waybill staff'
  const box = errorBox()
  const password = field({ label: 'Your password', name: 'password', attributes: { type: 'password', autocomplete: 'current-password' } })
  const code = field({
    label: 'Code that the app shows',
    name: 'code',
    attributes: { inputmode: 'numeric', autocomplete: 'one-time-code', maxlength: 6 },
  })
  const content = h('div', {}, password.element)
  const button = h('button', { class: 'primary' }, 'Go on')
  const leave = h('button', { type: 'button', class: 'link', click: async () => (await logOut(), location.reload()) }, 'Log out')
  const intro = h('p', {}, `Whoever works on orders needs a second factor beside the password. ${account()?.email} has none yet.`)
  const form = h('form', { novalidate: true, submit, class: 'card log-in' }, h('h1', {}, 'Set up a second factor'), box, intro, content, button, leave)
  swap(main, form)
  password.focus()
  let isMade = false

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault()
    box.replaceChildren()
    try {
      if (isMade) finish(await ask('POST', '/v1/account/totp/confirm', { code: code.input.value.replaceAll(/\s/g, '') }))
      else tell(await ask('POST', '/v1/account/totp', { password: password.input.value }))
    } catch (error) {
      show(error, [password, code], box)
    }
  }

  /** @param {{ secret: string, uri: string }} made */
  function tell({ secret, uri }) {
    isMade = true
    const groups = secret.match(/.{1,4}/g)?.join(' ') ?? secret
    // The scheme is the API's, which is ours; nothing else becomes a link.
    const link = uri.startsWith('otpauth://') && h('a', { href: uri, class: 'button' }, 'Open it in the app on this device')
    swap(content, h('p', {}, 'Type this key into your authenticator app:'), h('p', { class: 'secret' }, groups), link, code.element)
    code.focus()
  }

  /** @param {{ recovery_codes: string[], tokens: import('./types.d.ts').Tokens }} on */
  function finish({ recovery_codes, tokens }) {
    begin(tokens)
    const list = h('ul', { class: 'codes' }, recovery_codes.map(one => h('li', {}, one)))
    const heading = h('h1', { tabindex: -1 }, 'Write these down')
    const words = h('p', {}, 'Each opens your account once when you have lost the app. They are not shown again.')
    const go = h('button', { type: 'button', class: 'primary', click: then }, 'I have them')
    swap(main, h('div', { class: 'card log-in' }, heading, words, list, go))
    heading.focus()
  }
}
