// Drives the pages in Chromium: sign-in, patient picker, consent, authorised apps, account.
//
//   node main.mjs ORIGIN BINARY DATABASE-URL
//
// In both languages and both colour schemes with axe on every page; then without scripts, by keyboard alone.

import {
  PASSWORD,
  accessible,
  authorizeUrl,
  check,
  insist,
  launch,
  register,
  startApp,
  summary,
  tabTo,
} from "./support.mjs";

const [origin, binary, database] = process.argv.slice(2);
const SCOPE = "openid fhirUser launch/patient offline_access patient/Appointment.rs patient/Coverage.rs";

async function signIn(page, username) {
  await page.locator("#username").fill(username);
  await page.locator("#password").fill(PASSWORD);
  await page.locator("main form button").click();
}

/** Everything that a member of staff sees on the way to giving an app access, and to taking it back. */
async function walk(context, app, see, locale) {
  const page = await context.newPage();
  const count = app.came.length;
  await page.goto(authorizeUrl(origin, app.uri, SCOPE));
  insist((await page.locator("html").getAttribute("lang")) === locale, "the page's language");
  await see(page, "sign-in");
  await page.locator("#username").fill("scheduler");
  await page.locator("#password").fill("not the password");
  await page.locator("main form button").click();
  insist((await page.locator("[role=alert] a").count()) === 1, "the problem is said");
  await see(page, "sign-in with a problem");
  await signIn(page, "scheduler");
  await page.waitForURL("**/pick-patient/**");
  await see(page, "patient picker");
  await page.locator("#name").fill("a");
  await page.locator("form[role=search] button").click();
  await see(page, "patients found");
  await page.locator("main ul a").first().click();
  await page.waitForURL("**/consent/**");
  await page.locator("summary").first().click();
  await see(page, "consent");
  await page.locator('input[value="patient/Coverage.rs"]').uncheck();
  await page.locator('input[value="status=booked"]').check();
  await page.locator("button[value=approve]").click();
  await page.waitForURL(`${app.uri}?**`);
  insist(app.came.length === count + 1, "the app was reached once");
  const came = app.came[count];
  insist(came.get("code") && came.get("state") === "a state", `what the app got: ${came}`);

  await page.goto(`${origin}/apps`);
  await see(page, "apps with access");
  insist((await page.locator("article h2").textContent()) === "Calendar Plus", "the app is listed");
  const given = await page.locator("article li").allTextContents();
  insist(given.length === 4, `what was given: ${given}`);
  await page.locator("article button").click();
  insist((await page.locator("article").count()) === 0, "the access is gone");
  await see(page, "apps after taking back");
  for (const path of ["/account", "/account/authenticator", "/sign-out"]) {
    await page.goto(`${origin}${path}`);
    await see(page, path);
  }
  await page.locator("main form button").click();
  await see(page, "signed out");
  await page.goto(`${origin}/consent/nothing-here`);
  await see(page, "an error");
  await page.close();
}

/** A patient answers with the keyboard, in a browser without scripts. */
async function byKeyboard(context, app) {
  const page = await context.newPage();
  const count = app.came.length;
  await page.goto(authorizeUrl(origin, app.uri, SCOPE));
  await tabTo(page, "#username");
  await page.keyboard.type("patient");
  await page.keyboard.press("Tab");
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press("Enter");
  await page.waitForURL("**/consent/**");
  await tabTo(page, 'input[value="offline_access"]');
  await page.keyboard.press("Space");
  insist(!(await page.locator('input[value="offline_access"]').isChecked()), "the tick is gone");
  await tabTo(page, "summary");
  await page.keyboard.press("Enter");
  await tabTo(page, 'input[value="status=booked"]');
  await page.keyboard.press("Space");
  await tabTo(page, "button[value=approve]");
  await page.keyboard.press("Enter");
  await page.waitForURL(`${app.uri}?**`);
  insist(app.came[count]?.get("code"), "the app got a code");

  await page.goto(`${origin}/apps`);
  const given = await page.locator("article li").allTextContents();
  insist(!given.some((text) => text.includes("while you are not using it")), `what was given: ${given}`);
  insist(given.some((text) => text.includes("only where the state is Booked")), `what was given: ${given}`);
  await tabTo(page, "article button");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/apps?revoked=1");
  insist((await page.locator("article").count()) === 0, "the access is gone");
  // The skip link is the first stop and leads to the content.
  await page.keyboard.press("Tab");
  insist((await page.locator(".skip:focus").count()) === 1, "the skip link comes first");
  await page.close();
}

/** Saying no sends the browser back with the error alone. */
async function denial(context, app) {
  const page = await context.newPage();
  const count = app.came.length;
  await page.goto(authorizeUrl(origin, app.uri, SCOPE));
  await signIn(page, "patient");
  await page.locator("button[value=deny]").click();
  await page.waitForURL(`${app.uri}?**`);
  const came = app.came[count];
  insist(came.get("error") === "access_denied" && !came.get("code"), `what the app got: ${came}`);
  await page.close();
}

/** No page can be shown inside another, where clicks could be stolen. */
async function framed(context, app) {
  const page = await context.newPage();
  await page.goto(app.uri.replace("/back", "/"));
  await page.setContent(`<iframe src="${origin}/sign-in"></iframe>`);
  await page.waitForTimeout(500);
  const shown = page.frames().filter((frame) => frame.url().startsWith(origin));
  insist(shown.length === 0, "the sign-in page is framed");
  await page.close();
}

const app = await startApp();
register(binary, database, app.uri, SCOPE);
const browser = await launch();
try {
  for (const [locale, lang] of [["en-US", "en"], ["es-MX", "es"]]) {
    for (const colorScheme of ["light", "dark"]) {
      const context = await browser.newContext({ locale, colorScheme });
      context.setDefaultTimeout(15_000);
      let pages = 0;
      const see = async (page, name) => {
        pages += 1;
        await check(`axe ${name} ${lang} ${colorScheme}`, () => accessible(page, name));
      };
      await check(`staff ${lang} ${colorScheme}`, async () => {
        await walk(context, app, see, lang);
        insist(pages === 12, `${pages} pages were looked at`);
      });
      await context.close();
    }
  }
  for (const [name, work] of [["keyboard", byKeyboard], ["denial", denial], ["framing", framed]]) {
    const context = await browser.newContext({ locale: "en-US", javaScriptEnabled: name === "framing" });
    context.setDefaultTimeout(15_000);
    await check(`${name} without scripts`, () => work(context, app));
    await context.close();
  }
} finally {
  await browser.close();
  app.stop();
}
process.exitCode = summary();
