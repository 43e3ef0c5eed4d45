import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // A real Postgres starts in about two seconds; a machine under load may need ten times that.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Most of their time the tests wait, for servers, timeouts and disks.
    maxWorkers: 2,
    allowOnly: false,
    passWithNoTests: false,
  },
});
