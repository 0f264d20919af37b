# Eventflow in a container: docs/operations.md has how to run it.
#
# It listens on all addresses of the container, so it does not start without users: access.passwordFile, or others. HTTP is for the
# health check, within the container, until http.host and http.tokenFile say otherwise.

ARG NODE=20

FROM node:${NODE}-slim AS build
WORKDIR /build
COPY package.json package-lock.json tsconfig.json tsconfig.build.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY src ./src
COPY plugins ./plugins
RUN npm run build \
  && chmod +x dist/src/cli/main.js \
  && find dist -name '*.map' -delete \
  && npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:${NODE}-slim
ENV NODE_ENV=production \
  EVENTFLOW_LISTENERS_TCP_HOST=0.0.0.0 \
  EVENTFLOW_HTTP_PORT=8080
COPY --from=build /build/package.json /opt/eventflow/
COPY --from=build /build/node_modules /opt/eventflow/node_modules
COPY --from=build /build/dist /opt/eventflow/dist
RUN ln -s /opt/eventflow/dist/src/cli/main.js /usr/local/bin/eventflow \
  && install -d -o node -g node /eventflow /eventflow/data
USER node
# What has no other path is here: config/eventflow.yaml, which may be mounted, and data.
WORKDIR /eventflow
VOLUME /eventflow/data
EXPOSE 1883
# No curl here. Whether clients are served as promised is another question (/ready): a full disk is not mended by a restart.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.EVENTFLOW_HTTP_PORT}/health`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["eventflow"]
CMD ["start"]
