// The REST part: Swagger UI, made to follow the page's colours and to sign in by itself.

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
      responseInterceptor: (response) => {
        if (response.ok && SIGN_INS.has(new URL(response.url).pathname)) {
          ui.preauthorizeApiKey('bearer', response.body.access_token);
        }
        return response;
      },
    });
  });
}

function followColours() {
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const follow = () => document.documentElement.classList.toggle('dark-mode', dark.matches);
  dark.addEventListener('change', follow);
  follow();
}
