// The REST part: Swagger UI, made to follow the page's colours, to sign in by itself, and to make no markup out of
// strings, which the page's policy forbids (Trusted Types).

import { spans } from './markup.js';

const SIGN_INS = new Set(['/api/v1/auth/register', '/api/v1/auth/login', '/api/v1/auth/refresh']);

/** Resolves once the calls are on the page. */
export function showRest(spec, domNode) {
  followColours();
  return new Promise((onComplete) => {
    const ui = SwaggerUIBundle({
      spec,
      domNode,
      onComplete,
      docExpansion: 'list',
      defaultModelsExpandDepth: -1, // each call shows the schemas that it uses
      defaultModelExpandDepth: 3,
      syntaxHighlight: { activated: false }, // its colours are for a dark ground alone
      validatorUrl: null,
      plugins: [ownMarkdown, ownLayout],
      layout: 'OwnLayout',
      responseInterceptor: (response) => {
        if (response.ok && SIGN_INS.has(new URL(response.url).pathname)) {
          ui.preauthorizeApiKey('bearer', response.body.access_token);
        }
        return response;
      },
    });
  });
}

/** In place of its own, which builds HTML and cleans it afterwards. */
function ownMarkdown({ React }) {
  const element = (tag, text) => React.createElement(tag, null, text);
  const paragraph = (text) => React.createElement('p', null, ...spans(text, element));
  const Markdown = ({ source, className = '' }) => (typeof source === 'string' && source
    ? React.createElement('div', { className: `markdown ${className}` }, ...source.split(/\n{2,}/).map(paragraph))
    : null);
  return { wrapComponents: { Markdown: () => Markdown } };
}

/** In place of its own, which is a second `main` inside of the page's. */
function ownLayout({ React: { createElement } }) {
  function OwnLayout({ getComponent, specSelectors }) {
    const part = (name) => createElement(getComponent(name, true));
    return createElement('div', { className: 'swagger-ui' },
      createElement(getComponent('SvgAssets')),
      part('errors'),
      createElement('div', { className: 'information-container' }, part('InfoContainer')),
      createElement('div', { className: 'scheme-container' },
        createElement('div', { className: 'schemes wrapper' },
          specSelectors.servers()?.size > 0 && createElement('div', { className: 'schemes-server-container' }, part('ServersContainer')),
          part('AuthorizeBtnContainer'))),
      part('operations'));
  }
  return { components: { OwnLayout } };
}

function followColours() {
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const follow = () => document.documentElement.classList.toggle('dark-mode', dark.matches);
  dark.addEventListener('change', follow);
  follow();
}
