// Opens a page in a headless Chromium and uses it as people do: browser.mjs PAGE AXE [PICTURES].
// Prints what is wrong. The browser is spoken to over a pipe; it has no network of its own to ask.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [page, axe, pictures] = process.argv.slice(2);
const problems = [];
const expect = (holds, words) => holds || problems.push(words);

const profile = mkdtempSync(join(tmpdir(), "review-"));
const browser = spawn(
  "chromium",
  ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--proxy-server=127.0.0.1:9", `--user-data-dir=${profile}`, "--remote-debugging-pipe"],
  { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] },
);
const [to, from] = [browser.stdio[3], browser.stdio[4]];
const waiting = new Map();
const heard = [];
let [last, rest] = [0, ""];
from.setEncoding("utf8");
from.on("data", (data) => {
  const parts = (rest + data).split("\0");
  rest = parts.pop();
  for (const message of parts.map((part) => JSON.parse(part))) {
    if (message.id) {
      const [done, failed] = waiting.get(message.id);
      if (message.error) failed(new Error(JSON.stringify(message.error)));
      else done(message.result);
    } else heard.push(message);
  }
});
const send = (method, params = {}, sessionId) =>
  new Promise((done, failed) => {
    waiting.set(++last, [done, failed]);
    to.write(JSON.stringify({ id: last, method, params, sessionId }) + "\0");
  });
const until = async (holds, words) => {
  for (let tries = 0; tries < 200; tries++) {
    if (await holds()) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error(`waited in vain for ${words}`);
};

async function main() {
  const { targetId } = await send("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await send("Target.attachToTarget", { targetId, flatten: true });
  const ask = (method, params) => send(method, params, sessionId);
  const evaluate = async (expression) => {
    const answer = await ask("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (answer.exceptionDetails) throw new Error(JSON.stringify(answer.exceptionDetails));
    return answer.result.value;
  };
  const load = async () => {
    heard.length = 0;
    await ask("Page.navigate", { url: pathToFileURL(page).href });
    await until(() => heard.some((own) => own.method === "Page.loadEventFired"), "the page");
  };
  const key = async (key, code, text) => {
    for (const type of ["keyDown", "keyUp"]) {
      await ask("Input.dispatchKeyEvent", { type, key, code, text: type === "keyDown" ? text : undefined,
        windowsVirtualKeyCode: { Tab: 9, ArrowLeft: 37, ArrowUp: 38 }[key] ?? text?.charCodeAt(0) });
    }
  };
  const click = async (selector) => {
    const [x, y] = await evaluate(`(() => { const own = document.querySelector(${JSON.stringify(selector)});
      own.scrollIntoView({ block: "center" }); const box = own.getBoundingClientRect();
      return [box.x + box.width / 2, box.y + box.height / 2]; })()`);
    for (const type of ["mousePressed", "mouseReleased"]) {
      await ask("Input.dispatchMouseEvent", { type, x, y, button: "left", clickCount: 1 });
    }
  };
  const shown = () => evaluate(`[...document.querySelectorAll(".change")].filter((own) => own.checkVisibility()).length`);
  const visible = (selector) => evaluate(`document.querySelector(${JSON.stringify(selector)}).checkVisibility()`);
  const picture = async (name) => {
    if (!pictures) return;
    const { data } = await ask("Page.captureScreenshot", { captureBeyondViewport: true });
    writeFileSync(join(pictures, `${name}.png`), Buffer.from(data, "base64"));
  };
  const media = (media, scheme) => ask("Emulation.setEmulatedMedia",
    { media, features: [{ name: "prefers-color-scheme", value: scheme }] });

  for (const domain of ["Page", "Runtime", "Network", "Log"]) await ask(`${domain}.enable`);
  await ask("Emulation.setDeviceMetricsOverride", { width: 1200, height: 900, deviceScaleFactor: 1, mobile: false });
  await load();

  // By keyboard: the search, a box, the switch.
  const all = await shown();
  expect(all > 3, `${all} changes are shown`);
  await key("/", "Slash", "/");
  expect(await evaluate(`document.activeElement.id === "search"`), "/ does not lead to the search");
  await ask("Input.insertText", { text: "geo-db01" });
  const found = await shown();
  expect(found > 0 && found < all, `searching shows ${found} of ${all}`);
  await evaluate(`(search.value = "", filter())`);
  await key("Tab", "Tab");
  expect(await evaluate(`document.activeElement.id === "show-danger"`), "Tab does not lead to the boxes");
  await key(" ", "Space", " ");
  expect((await shown()) < all, "a box by keyboard hides nothing");
  await key(" ", "Space", " ");
  expect((await shown()) === all, "a box by keyboard does not show again");
  expect(!(await visible("#topology svg.before")) && (await visible("#topology svg.after")), "after is not shown first");
  await evaluate(`document.getElementById("when-after").focus()`);
  await key("ArrowLeft", "ArrowLeft");
  expect((await visible("#topology svg.before")) && !(await visible("#topology svg.after")), "the switch by keyboard");

  // By click: the same, and a change that opens.
  await click("label[for=when-after]");
  expect(!(await visible("#topology svg.before")) && (await visible("#topology svg.after")), "the switch by click");
  await click("#show-danger");
  expect((await shown()) < all, "a box by click hides nothing");
  await click("#show-danger");
  await click(".change summary");
  expect(await evaluate(`document.querySelector(".change").open`), "a change does not open");

  // Every link into the page opens what it names.
  const id = await evaluate(`[...document.querySelectorAll(".change")].at(-1).id`);
  await evaluate(`location.hash = ${JSON.stringify(id)}`);
  await until(() => evaluate(`[...document.querySelectorAll(".change")].at(-1).open`), "a link into the page");

  const plan = JSON.parse(await evaluate(`document.getElementById("plan").textContent`));
  expect(plan.format === "tcloud-plan-view/1", "the plan is not in the page");

  for (const [name, ...how] of [["light", "screen", "light"], ["dark", "screen", "dark"]]) {
    await media(...how);
    await evaluate(`for (const own of document.querySelectorAll("details")) own.open = true`);
    await picture(name);
    await evaluate(readFileSync(axe, "utf8") + "; 0");
    const violations = await evaluate(`axe.run().then((found) => found.violations.map((own) =>
      own.id + ": " + own.nodes.slice(0, 3).map((node) => node.html.slice(0, 200) + " " + node.failureSummary).join(" | ")))`);
    for (const words of violations) problems.push(`axe (${name}): ${words}`);
  }
  await media("print", "light");
  await evaluate(`for (const own of document.querySelectorAll("details")) own.open = false`);
  expect(await visible(".change pre"), "on paper a change stays closed");
  expect(!(await visible("#filter")), "on paper there is a form");
  await picture("print");
  await media("screen", "light");

  const requests = heard.filter((own) => own.method === "Network.requestWillBeSent").map((own) => own.params.request.url);
  expect(requests.every((url) => url === pathToFileURL(page).href || url.startsWith("data:")), `asks for ${requests}`);
  const said = () => heard.filter((own) => ["Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"].includes(own.method));
  expect(said().length === 0, `the console has ${JSON.stringify(said())}`);

  // That what is forbidden is seen: the page itself may fetch nothing and run nothing else.
  await evaluate(`fetch("http://127.0.0.1:9/").catch(() => 0)`);
  await evaluate(`document.body.append(Object.assign(document.createElement("script"), { textContent: "window.ran = 1" }))`);
  await until(() => said().length >= 2, "the policy to say no");
  expect(!(await evaluate(`window.ran`)), "a script that is not the page's own runs");

  // Without scripts everything can be read, and the switch works.
  await ask("Emulation.setScriptExecutionDisabled", { value: true });
  await load();
  expect((await shown()) === all && !(await visible("#filter")), "without scripts not all is shown");
  await click("label[for=when-before]");
  expect(await visible("#topology svg.before"), "without scripts the switch does nothing");
}

const late = setTimeout(() => (problems.push("takes longer than a minute"), done()), 60_000);
const done = () => {
  clearTimeout(late);
  browser.kill("SIGKILL");
  try { rmSync(profile, { recursive: true, force: true, maxRetries: 5 }); } catch { /* a late writer */ }
  console.log(problems.join("\n"));
  process.exit(problems.length ? 1 : 0);
};
main().catch((error) => problems.push(String(error.stack))).finally(done);
