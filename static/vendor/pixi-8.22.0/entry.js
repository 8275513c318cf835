// What of PixiJS the map uses, and its answers to a policy without `eval`. pixi.min.js is made of this, in an empty folder:
//   npm install pixi.js@8.22.0 esbuild@0.28.2
//   npx esbuild entry.js --bundle --minify --format=esm '--external:*browserAll.mjs' '--external:*webworkerAll.mjs' --outfile=pixi.min.js
// The published bundle is twice as large, and its polyfills come as a script that a module cannot load. The two
// that are left out would add what the map does without: events, a layer for screen readers, filters.
import 'pixi.js/unsafe-eval';
import './node_modules/pixi.js/lib/rendering/init.mjs';
export { CanvasRenderer, CanvasSource, Container, Rectangle, Sprite, Texture, WebGLRenderer } from 'pixi.js';
