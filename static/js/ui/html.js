// The one door to the vendored view library, and the hook that ties views to the app.

export { html, render, useEffect, useErrorBoundary, useLayoutEffect, useMemo, useRef, useState } from '../../vendor/htm-3.1.1/preact/standalone.module.js';
import { createContext, useContext, useLayoutEffect, useState } from '../../vendor/htm-3.1.1/preact/standalone.module.js';

export const AppContext = createContext(null);

/** @returns {import('../app/app.js').App} */
export function useApp() {
  return useContext(AppContext);
}

/** Renders again whenever the emitter tells `changed`. */
export function useChanges(emitter) {
  const [, again] = useState(0);
  useLayoutEffect(() => emitter.on('changed', () => again((count) => count + 1)), [emitter]);
}

/** Renders again every so many milliseconds, for clocks. */
export function useTicks(interval) {
  const [, again] = useState(0);
  useLayoutEffect(() => {
    const timer = setInterval(() => again((count) => count + 1), interval);
    return () => clearInterval(timer);
  }, [interval]);
}
