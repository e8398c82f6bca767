// A certified OAuth server (npm oidc-provider) at Sentry's addresses, for tests/it/real_oauth.rs.
//
// node oidc.mjs MODULES PORT: listens on the socket that it finds at descriptor 0. What happens to tokens is
// written to standard output, one event a line.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [modules, port] = process.argv.slice(2);
const resolve = createRequire(`${modules}/`).resolve;
const { Provider } = await import(pathToFileURL(resolve('oidc-provider')));
const issuer = `http://127.0.0.1:${port}`;

const provider = new Provider(issuer, {
  clients: [{
    client_id: 'test-client-id',
    token_endpoint_auth_method: 'none',
    application_type: 'native',
    grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
    redirect_uris: [],
    response_types: [],
  }],
  scopes: ['org:read', 'event:read'],
  features: { deviceFlow: { enabled: true }, devInteractions: { enabled: true } },
  routes: {
    device_authorization: '/oauth/device/code/',
    token: '/oauth/token/',
    code_verification: '/oauth/device/',
  },
  // By default only with the scope `offline_access`, and rotated for confidential clients only.
  issueRefreshToken: async (_, client) => client.grantTypeAllowed('refresh_token'),
  rotateRefreshToken: true,
  ttl: {
    AccessToken: 3600, DeviceCode: 600, RefreshToken: 86400, Grant: 86400, Session: 86400, Interaction: 3600,
  },
  findAccount: async (_, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
  cookies: { keys: ['test'] },
});

for (const event of ['refresh_token.consumed', 'grant.revoked', 'grant.error', 'server_error'])
  provider.on(event, (...details) => {
    const errors = details.map((detail) => detail?.error).filter(Boolean);
    console.log([event, ...errors].join(' '));
  });

provider.use(async (ctx, next) => {
  // What Sentry says about a token.
  if (ctx.path === '/api/0/') {
    const token = await provider.AccessToken.find((ctx.get('authorization')).replace(/^Bearer /, ''));
    ctx.status = token?.isValid ? 200 : 401;
    ctx.body = token?.isValid
      ? { version: '0', auth: { scopes: [...token.scopes] }, user: { id: token.accountId, username: token.accountId } }
      : { detail: 'Invalid token' };
    return;
  }
  await next();
  // The default of RFC 8628 would make each test wait.
  if (ctx.oidc?.route === 'device_authorization' && ctx.status === 200) ctx.body = { ...ctx.body, interval: 1 };
});
provider.listen({ fd: 0 }, () => console.log('ready'));
