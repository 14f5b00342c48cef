// Drives the pages in Chromium: sign-in, patient picker, consent, authorised apps, account; an emergency and its review;
// the audit log's console with its proofs; the console of deliveries.
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

/** A clinician declares an emergency, and an officer finds it: in the queue, in the reports, in the log with its proof. */
async function emergency(context, see) {
  const page = await context.newPage();
  const patients = await (await fetch(`${origin}/fhir/Patient?_count=1`)).json();
  const patient = patients.entry[0].resource.id;
  await page.goto(`${origin}/emergency`);
  await signIn(page, "clinician");
  await page.waitForURL("**/emergency");
  await see(page, "emergency");
  await page.locator("#patient").fill(patient);
  await page.locator("#purpose-ETREAT").check();
  await page.locator("#reason").fill("Found unconscious at home");
  await page.locator("#password").fill("not the password");
  await page.locator('form[action="/emergency"] button').click();
  await page.locator(".problems").waitFor();
  await see(page, "emergency with a problem");
  await page.locator("#password").fill(PASSWORD);
  await page.locator('form[action="/emergency"] button').click();
  await page.waitForURL("**/emergency?done=declared");
  await see(page, "emergency declared");
  await page.locator('form[action="/emergency/end"] button').click();
  await page.waitForURL("**/emergency?done=ended");
  await page.locator("header form button").click();
  await page.waitForURL("**/sign-out");
  await page.goto(`${origin}/emergencies`);
  await signIn(page, "compliance");
  await page.waitForURL("**/emergencies");
  await see(page, "emergencies");
  const open = page.locator("article form").last();
  await open.locator('input[value="justified"]').check();
  await open.locator("button").click();
  await page.waitForURL("**/emergencies?reviewed=1");
  await see(page, "an emergency reviewed");
  await readLog(page, patient, see);
  await page.close();
}

/** What the browser says of the proof on the page. */
async function verdict(page) {
  const output = page.locator("#browser-check[data-verdict]");
  await output.waitFor({ state: "attached" });
  return output.getAttribute("data-verdict");
}

/** An officer reads the log. */
async function readLog(page, patient, see) {
  await page.goto(`${origin}/console/audit?patient=${patient}&subtype=110127`);
  insist((await page.locator("table.events tbody tr").count()) > 0, "the emergency is in the log");
  await see(page, "audit log");
  const event = await page.locator("table.events tbody a").first().getAttribute("href");
  await page.goto(`${origin}${event}`);
  insist((await verdict(page)) === "valid", "the browser finds the proof valid");
  insist((await page.locator("#browser-check li").count()) === 3, "it says what it looked at");
  for (const summary of await page.locator("main summary").all()) await summary.click();
  await see(page, "an event");
  // What the server sends is not what was logged: in its content, its path, its root, its signature.
  const tampered = [
    ["content", (html) => html.replace(/data-event="(.)(.)/, (_, one, two) => `data-event="${one}${two === "A" ? "B" : "A"}`)],
    ["path", (html) => html.replace(/data-path="(.)/, (_, one) => `data-path="${one === "A" ? "B" : "A"}`)],
    ["leaf", (html) => html.replace(/(data-leaf="[^"]*seq&#34;:)(\d+)/, (_, head, seq) => `${head}${Number(seq) + 1}`)],
    ["signature", (html) => html.replace(/(data-note="[^"]*\n\n[^"]*? [^" ]+ .{20})(.)/s, (_, head, one) => `${head}${one === "A" ? "B" : "A"}`)],
  ];
  for (const [what, change] of tampered) {
    await page.route(`**${event}`, async (route) => {
      const response = await route.fetch();
      const html = await response.text();
      const other = change(html);
      insist(other !== html, `nothing was changed in the ${what}`);
      await route.fulfill({ response, body: other });
    });
    await page.goto(`${origin}${event}`);
    insist((await verdict(page)) === "invalid", `the browser finds a changed ${what}`);
    await page.unroute(`**${event}`);
  }
  await see(page, "an event that does not hold");
  await page.goto(`${origin}${event}`);
  await page.locator("#note").fill("Looked at it");
  await page.locator('main form[action="/console/audit/reviews"] button').click();
  await page.waitForURL("**?reviewed=1");
  await page.goto(`${origin}/console/audit?from=yesterday`);
  insist((await page.locator("[role=alert] a").count()) === 1, "the problem is said");
  await see(page, "audit log with a problem");
  // The reports follow the log within seconds.
  for (let tries = 0; tries < 50; tries += 1) {
    await page.goto(`${origin}/console/audit/reports?report=break-glass&state=open`);
    if ((await page.locator("main tbody tr").count()) > 0) break;
    await page.waitForTimeout(200);
  }
  await see(page, "standing reports");
  await page.locator("main tbody a").first().click();
  await page.locator("#note").fill("Justified");
  await see(page, "a finding");
  await page.locator('main form[action="/console/audit/reviews"] button').click();
  await page.waitForURL("**?reviewed=1");
  await page.goto(`${origin}/console/audit/reviews?from=2026-03-01&until=2026-03-31`);
  await see(page, "reviews");
  await page.goto(`${origin}/console/audit/disclosures?patient=${patient}`);
  await see(page, "accounting of disclosures");
  await page.goto(`${origin}/console/audit/recipients`);
  await see(page, "recipients");
  await page.goto(`${origin}/console/audit?patient=${patient}`);
  const coming = page.waitForEvent("download");
  await page.locator('form[action="/console/audit/export"] button').click();
  const download = await coming;
  insist(download.suggestedFilename() === `audit-${patient}.tar`, download.suggestedFilename());
  await download.delete();
}

/** A subscription to an endpoint. */
async function subscribe(endpoint) {
  const level = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-payload-content";
  const body = {
    resourceType: "Subscription",
    status: "requested",
    reason: "A look at the console",
    criteria: "https://slotwright.org/fhir/SubscriptionTopic/appointment-booked",
    channel: {
      type: "rest-hook",
      endpoint,
      payload: "application/fhir+json",
      _payload: { extension: [{ url: level, valueCode: "id-only" }] },
    },
  };
  const headers = { "content-type": "application/fhir+json" };
  const made = await fetch(`${origin}/fhir/Subscription`, { method: "POST", headers, body: JSON.stringify(body) });
  insist(made.status === 201, `subscribed: ${made.status}`);
  return (await made.json()).id;
}

/** An administrator looks after one endpoint that answers and one at which nobody is. */
async function deliveries(context, app, see) {
  const page = await context.newPage();
  const well = await subscribe(app.uri);
  const dead = await subscribe("http://127.0.0.1:9/nobody");
  await page.goto(`${origin}/console/deliveries`);
  await signIn(page, "administrator");
  await page.waitForURL("**/console/deliveries");
  insist((await page.locator("tbody tr").count()) >= 2, "both are listed");
  await see(page, "deliveries");
  const shown = `${origin}/console/deliveries/${well}`;
  for (let tries = 0; tries < 50; tries += 1) {
    await page.goto(shown);
    if ((await page.locator('[aria-labelledby="attempts-heading"] tbody tr').count()) > 0) break;
    await page.waitForTimeout(200);
  }
  await see(page, "deliveries of one");
  await page.locator("button[value=pause]").click();
  await page.waitForURL("**?done=pause");
  insist((await page.locator("[role=status]").count()) === 1, "what was done is said");
  await see(page, "deliveries held back");
  await page.locator("button[value=resume]").click();
  await page.waitForURL("**?done=resume");
  await page.locator("#from").fill("99");
  await page.locator("button[value=replay]").click();
  await page.locator(".problems").waitFor();
  await see(page, "deliveries with a problem");
  await page.goto(shown);
  await page.locator("#kind").selectOption("hmac");
  await page.locator("button[value=rotate]").click();
  await page.locator("[role=status] code").waitFor();
  await see(page, "a new key");
  await page.goto(`${origin}/console/deliveries/${dead}`);
  await page.locator("button[value=test]").click();
  await page.waitForURL("**?done=test-failed");
  await see(page, "deliveries that fail");
  for (const id of [well, dead]) await fetch(`${origin}/fhir/Subscription/${id}`, { method: "DELETE" });
  await page.close();
}

/** Without scripts the server's own check is on the page, and the keyboard reaches everything. */
async function proofWithoutScripts(context) {
  const page = await context.newPage();
  await page.goto(`${origin}/console/audit?subtype=110122`);
  await signIn(page, "compliance");
  await page.waitForURL("**/console/audit?subtype=110122");
  await tabTo(page, "#user");
  await page.keyboard.type("scheduler");
  await page.keyboard.press("Enter");
  await page.waitForURL("**user=scheduler**");
  await page.locator("table.events tbody a").first().click();
  insist((await page.locator("#server-check.good li").count()) === 3, "the server's check is there");
  insist(await page.locator("noscript p").isVisible(), "the page says why the browser's is not");
  await tabTo(page, "#note");
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
      const other = await browser.newContext({ locale, colorScheme });
      other.setDefaultTimeout(15_000);
      pages = 0;
      await check(`officer ${lang} ${colorScheme}`, async () => {
        await emergency(other, see);
        insist(pages === 14, `${pages} pages were looked at`);
      });
      await other.close();
      const third = await browser.newContext({ locale, colorScheme });
      third.setDefaultTimeout(15_000);
      pages = 0;
      await check(`deliveries ${lang} ${colorScheme}`, async () => {
        await deliveries(third, app, see);
        insist(pages === 6, `${pages} pages were looked at`);
      });
      await third.close();
    }
  }
  for (const [name, work] of [["keyboard", byKeyboard], ["denial", denial], ["framing", framed], ["proof", proofWithoutScripts]]) {
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
