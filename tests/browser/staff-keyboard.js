// A whole errand on the staff page without a mouse.
import { strict as assert } from 'node:assert'
import { dialog, heading } from './staff-tab.js'

/**
 * @param {import('playwright-core').Page} tab
 * @param {string} number Of an order.
 * @param {(what: string, test: () => Promise<unknown>) => Promise<void>} check
 */
export async function byKeyboard(tab, number, check) {
  const { keyboard } = tab
  const focused = () => tab.evaluate(() => {
    const { activeElement: at } = document
    return at ? { tag: at.tagName, text: (at.textContent ?? '').trim(), id: at.id, outline: getComputedStyle(at).outlineStyle } : undefined
  })
  /** Presses Tab until that has the focus, which has to be seen. @param {RegExp} text */
  async function tabTo(text, key = 'Tab') {
    for (let steps = 0; steps < 80; steps++) {
      await keyboard.press(key)
      const at = await focused()
      if (!at || !text.test(at.text || at.id)) continue
      assert.notEqual(at.outline, 'none', `the focus on ${at.text} is seen`)
      return
    }
    assert.fail(`Tab does not lead to ${text}`)
  }

  await check('an order is found, opened and noted at by keyboard alone', async () => {
    await tab.reload()
    await heading(tab, 'Stock').waitFor()
    await tabTo(/^Skip to the content$/)
    await keyboard.press('Enter')
    assert.equal((await focused())?.id, 'main')
    await tabTo(/^Orders$/, 'Shift+Tab')
    await keyboard.press('Enter')
    await heading(tab, 'Orders').waitFor()
    // Where one is now is where the focus is.
    await tab.waitForFunction(() => document.activeElement?.tagName === 'H1')
    await tabTo(/Order numberE-mail/)
    await keyboard.press('Tab')
    await keyboard.type(number)
    await keyboard.press('Enter')
    await heading(tab, `Order ${number}`).waitFor()
    await tabTo(/^Write a note$/)
    await keyboard.press('Enter')
    await dialog(tab).element.waitFor()
    await keyboard.press('Escape')
    await dialog(tab).element.waitFor({ state: 'detached' })
    assert.equal((await focused())?.id, 'write-note', 'a dialog gives the focus back')
    await keyboard.press('Enter')
    await dialog(tab).element.getByLabel('Note').waitFor()
    await keyboard.type('Called twice; wants it by Friday.')
    await tabTo(/^Keep it$/)
    await keyboard.press('Space')
    await tab.getByText('Called twice; wants it by Friday.').waitFor()
    await tab.waitForFunction(() => document.activeElement?.id === 'write-note')
    await tabTo(/^← Orders$/, 'Shift+Tab')
    await keyboard.press('Enter')
    await heading(tab, 'Orders').waitFor()
  })
}
