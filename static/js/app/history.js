// How far the past of a conversation is loaded: page by page, the newest first.

const PAGE = 50;

/** What is loaded is kept by whoever extends it, which says how a page is read. */
export class History {
  #nextBefore = undefined;

  loaded = false;
  loading = false;
  /** @type {import('../client/index.js').HereaboutsError|null} why the last page did not come */
  error = null;

  /**
   * Reads a page and takes it in.
   * @abstract
   * @param {{limit: number, before?: number|string}} page
   * @returns {Promise<number|string|undefined>} before what the next page ends
   */
  async readPage() {
    throw new Error('not said how');
  }

  get hasOlder() {
    return this.#nextBefore !== undefined;
  }

  /** Loads the newest page; again to see what was deleted of it. */
  async load() {
    await this.#read({ limit: PAGE }, (nextBefore) => {
      if (!this.loaded) this.#nextBefore = nextBefore;
      this.loaded = true;
    });
  }

  async loadOlder() {
    if (!this.hasOlder) return;
    await this.#read({ limit: PAGE, before: this.#nextBefore }, (nextBefore) => {
      this.#nextBefore = nextBefore;
    });
  }

  async #read(page, done) {
    if (this.loading) return;
    this.loading = true;
    this.error = null;
    try {
      done(await this.readPage(page));
    } catch (error) {
      this.error = error;
    } finally {
      this.loading = false;
    }
  }
}
