// A user in a real browser, at the pages of oidc-provider.
//
// node approve.mjs MODULES CHROMIUM ADDRESS approve|deny: opens the address that a login shows, and decides.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [modules, chromium, address, decision] = process.argv.slice(2);
const resolve = createRequire(`${modules}/`).resolve;
const { default: playwright } = await import(pathToFileURL(resolve('playwright-core')));

const browser = await playwright.chromium.launch({
  executablePath: chromium,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-dev-shm-usage', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
const page = await browser.newPage();
const press = async (button) => {
  await page.locator(button).first().click();
  await page.waitForLoadState('networkidle');
};
await page.goto(address);
// The page sends its form by itself, once.
await page.waitForLoadState('networkidle');
if (decision === 'deny') {
  await press('button[name=abort]');
} else {
  await press('button[type=submit]');
  await page.fill('input[name=login]', 'jane');
  await page.fill('input[name=password]', 'x');
  await press('button[type=submit]');
  if (await page.locator('button[type=submit]').count()) await press('button[type=submit]');
}
console.log(await page.locator('body').innerText());
await browser.close();
