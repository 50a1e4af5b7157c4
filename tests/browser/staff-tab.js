// The staff page in a tab of headless Chromium, as somebody at the shop uses it.
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { strict as assert } from 'node:assert'
import { chromium } from 'playwright-core'
import { api, code } from './shop.js'

/** @import { Page } from 'playwright-core' */

export const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu'],
})
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** What the browser complained of: scripts that failed, and what the page's own policy does not allow. @type {string[]} */
export const complaints = []

/**
 * A tab with the page, that nobody is logged in to yet.
 * @param {import('playwright-core').BrowserContextOptions & { at?: string }} [options]
 */
export async function open({ at = process.env.WAYBILL_PAGE ?? `${api}/staff/`, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'en-US', timezoneId: 'Europe/Berlin', ...options })
  context.setDefaultTimeout(20_000)
  const tab = await context.newPage()
  tab.on('pageerror', error => complaints.push(`${error}`))
  tab.on('console', message => {
    // That the API refuses something is what some of these tests are about.
    const isRefusal = message.text().startsWith('Failed to load resource')
    if (['error', 'warning'].includes(message.type()) && !isRefusal) complaints.push(message.text())
  })
  await tab.goto(at)
  await tab.getByLabel('E-mail address').waitFor()
  return tab
}

/** @param {Page} tab @param {{ email: string, password: string, totp_secret: string }} who */
export async function logIn(tab, { email, password, totp_secret }) {
  await tab.getByLabel('E-mail address').fill(email)
  await tab.getByLabel('Password').fill(password)
  await tab.getByRole('button', { name: 'Log in' }).click()
  await tab.getByLabel('Code', { exact: true }).fill(await code(totp_secret))
  await tab.getByRole('button', { name: 'Log in' }).click()
  await heading(tab, 'Orders').waitFor()
}

/** @param {Page} tab @param {string} name */
export function heading(tab, name) {
  return tab.getByRole('heading', { level: 1, name, exact: true })
}

/** @param {Page} tab @param {string} name */
export function button(tab, name) {
  return tab.getByRole('button', { name, exact: true })
}

/** The dialog that is open. @param {Page} tab */
export function dialog(tab) {
  const element = tab.getByRole('dialog')
  return { element, button: (/** @type {string | RegExp} */ name) => element.getByRole('button', { name, exact: true }) }
}

/** Goes somewhere else on the page. @param {Page} tab @param {string} hash @param {string} title */
export async function go(tab, hash, title) {
  await tab.evaluate(hash => void (location.hash = hash), hash)
  await heading(tab, title).waitFor()
}

/** Whether the page fits a narrow phone, and what axe has against it in both colours. @param {Page} tab @param {string} view */
export async function inspect(tab, view) {
  const size = tab.viewportSize()
  await tab.setViewportSize({ width: 360, height: 740 })
  await tab.waitForTimeout(200)
  const wide = await tab.evaluate(() => document.documentElement.scrollWidth)
  assert.equal(wide, 360, `${view} scrolls sideways at 360 px: ${wide}`)
  if (size) await tab.setViewportSize(size)
  for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
    await tab.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    // By the debugger: the page itself lets no other script in.
    if (!(await tab.evaluate(() => 'axe' in globalThis))) await tab.evaluate(axe)
    const found = await tab.evaluate(() => /** @type {any} */ (globalThis).axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }))
    const violations = found.violations.map((/** @type {any} */ { id, nodes }) => `${id}: ${nodes.map((/** @type {any} */ node) => node.target).join(', ')}`)
    assert.deepEqual(violations, [], `${view}, ${colorScheme}`)
    assert(found.passes.length > 10, `axe has looked at ${view}`)
  }
  await tab.emulateMedia({ colorScheme: 'light', reducedMotion: null })
}
