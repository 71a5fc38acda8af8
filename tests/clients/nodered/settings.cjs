// Node-RED without its editor, for this machine only.
module.exports = {
  uiHost: '127.0.0.1',
  uiPort: Number(process.env.NODERED_PORT),
  httpAdminRoot: false,
  // The flow has no credentials.
  credentialSecret: false,
  telemetry: { enabled: false, updateNotification: false },
  logging: { console: { level: 'error', metrics: false, audit: false } }
}
