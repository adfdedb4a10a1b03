/**
 * Debian's Chromium without a window, for tests of pages: a profile and a home of its own in a
 * temporary folder, and everything a page asks for, logs or throws is kept. Where Chromium is
 * missing, tests are skipped and say so; in CI (CI=true) they fail instead.
 */
import { accessSync, constants, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";
import puppeteer, { type Browser, type Page } from "puppeteer-core";

const executable = (process.env.PATH ?? "")
  .split(delimiter)
  .map((folder) => join(folder, "chromium"))
  .find(isExecutable);

/** For `describe.skipIf`. */
export const isSkipped = executable === undefined && process.env.CI !== "true";
/** Goes into the names of tests. */
export const skipNote = isSkipped ? " (skipped: there is no chromium on PATH)" : "";

export interface OpenPage {
  readonly page: Page;
  /** Addresses that the page asked for, the page itself first. */
  readonly requests: readonly string[];
  /** Errors, warnings, and dialogs that opened. */
  readonly complaints: readonly string[];
  /** The value of an expression in the page. */
  ask<T>(expression: string): Promise<T>;
  /** What has changed is drawn. */
  drawn(): Promise<void>;
}

export class Chromium {
  readonly #browser: Browser;
  readonly #folder: string;
  #pages = 0;

  private constructor(browser: Browser, folder: string) {
    this.#browser = browser;
    this.#folder = folder;
  }

  static async start(): Promise<Chromium> {
    if (executable === undefined)
      throw new Error("chromium is not on PATH: apt-get install chromium");
    const folder = mkdtempSync(join(tmpdir(), "lockstep-chromium-"));
    try {
      mkdirSync(join(folder, "home"));
      const browser = await puppeteer.launch({
        executablePath: executable,
        headless: true,
        userDataDir: join(folder, "profile"),
        env: { ...process.env, HOME: join(folder, "home") },
        args: [
          "--disable-gpu",
          "--disable-dev-shm-usage",
          "--disable-background-networking",
          // Chromium refuses to build its sandbox as root, which containers usually are.
          ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
        ],
      });
      return new Chromium(browser, folder);
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  async open(html: string, options: { readonly hash?: string } = {}): Promise<OpenPage> {
    const file = join(this.#folder, `page-${this.#pages++}.html`);
    writeFileSync(file, html);
    const page = await this.#browser.newPage();
    const requests: string[] = [];
    const complaints: string[] = [];
    page.on("request", (request) => requests.push(request.url()));
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => complaints.push(`${message.type()}: ${message.text()}`));
    page.on("dialog", (dialog) => {
      complaints.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    const ask = async <T>(expression: string): Promise<T> => (await page.evaluate(expression)) as T;
    const drawn = async (): Promise<void> => {
      await ask(
        "new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(() => r(0))))",
      );
    };
    await page.setViewport({ width: 1200, height: 600 });
    await page.goto(`${pathToFileURL(file).href}${options.hash ?? ""}`);
    await drawn();
    return { page, requests, complaints, ask, drawn };
  }

  async stop(): Promise<void> {
    await this.#browser.close();
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
