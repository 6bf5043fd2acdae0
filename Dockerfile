# Farmhand's images. Needs nothing that the classic builder lacks.
#
#   docker build --target orchestrator -t farmhand .            orchestrator, dashboard and command line
#   docker build --target agent -t farmhand-agent .             agent with Blender: the official bpy module
#   ... --target agent --build-arg BLENDER=debian ...           with the distribution's Blender
#   ... --target agent --build-arg BLENDER=blender-5.0.1-linux-x64.tar.xz ...
#                                                               with an official one that lies beside this file
#   ... --build-arg PROFILE=quick ...                           unoptimised: quick to build, for tests

ARG RUNTIME_IMAGE=debian:bookworm-slim
ARG BUILDER_IMAGE=rust:1.95-slim-bookworm

# Two small stages, since the classic builder takes its time over each step of a large one.
FROM scratch AS sources
COPY Cargo.toml Cargo.lock /src/
COPY core /src/core
COPY node-agent /src/node-agent
COPY tui /src/tui
COPY tests /src/tests
COPY assets /src/assets


# Manifests, and of the sources just where cargo looks for a crate's roots: what dependencies are built from. What is
# copied from a stage is compared by content, so that only a change of these builds dependencies anew.
FROM ${RUNTIME_IMAGE} AS manifests
COPY --from=sources /src /src
RUN cd /src \
    && rm -rf assets \
    && find . -type f ! -name Cargo.toml ! -name Cargo.lock ! -path '*/src/lib.rs' ! -path '*/src/main.rs' \
        ! -path '*/src/bin/*.rs' ! -path '*/benches/*.rs' ! -name build.rs -delete \
    && find . -name '*.rs' | while read -r root; do echo '#![allow(warnings)] fn main() {}' >"$root"; done \
    && find . -type d -empty -delete


FROM ${BUILDER_IMAGE} AS build
ARG PROFILE=release
ENV CARGO_INCREMENTAL=0 CARGO_TERM_COLOR=never
WORKDIR /src
COPY --from=manifests /src ./
RUN cargo build --locked --profile "$PROFILE" -p farmhand -p farmhand-agent --quiet
COPY --from=sources /src ./
# Sources may be older than the stubs that were built, by their time.
RUN find . -name '*.rs' -exec touch {} + \
    && cargo build --locked --profile "$PROFILE" -p farmhand -p farmhand-agent --quiet \
    && mkdir /out \
    && mv "target/$PROFILE/farmhand" "target/$PROFILE/farmhand-agent" /out/ \
    && rm -rf target


# What both images stand on: an init that reaps, a user, a folder that any user can write to.
FROM ${RUNTIME_IMAGE} AS base
RUN apt-get update \
    && apt-get install -y --no-install-recommends tini \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log \
    && useradd --uid 1000 --user-group --home-dir /data --no-create-home --shell /usr/sbin/nologin farmhand \
    && install -d -m 1777 /data /token /output /demo \
    && install -d -m 755 /scenes
COPY assets/containers/answers-health /usr/local/bin/
# Blender and the programs look for a home; the user may be any (`user:` in compose).
ENV HOME=/data
USER farmhand


# Whom https webhooks and collectors are believed by: of the package and its 9 MB only this one file is needed.
FROM base AS authorities
USER root
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*


FROM base AS orchestrator
COPY --from=authorities /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY assets/containers/prepare-volumes /usr/local/bin/
COPY --from=build /out/farmhand /usr/local/bin/
ENV FARMHAND_DATA=/data FARMHAND_OUTPUT=/output FARMHAND_LISTEN=0.0.0.0:4000
WORKDIR /scenes
VOLUME /data
EXPOSE 4000
HEALTHCHECK --interval=5s --timeout=4s --start-period=30s --retries=3 CMD ["answers-health", "4000"]
ENTRYPOINT ["tini", "--", "farmhand"]
CMD ["serve"]


FROM ${RUNTIME_IMAGE} AS blender
ARG BLENDER=bpy
# A pattern that fits no file is no error: the archive is there only when it is asked for.
COPY assets/containers/bpy-requirements.txt ${BLENDER}* /tmp/blender/
RUN set -eu; mkdir /opt/blender; cd /tmp/blender; \
    install() { apt-get update && apt-get install -y --no-install-recommends "$@"; }; \
    case "$BLENDER" in \
    bpy) \
        install python3-venv; \
        python3 -m venv /opt/blender; \
        /opt/blender/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r bpy-requirements.txt; \
        rm -rf /opt/blender/lib/python3*/site-packages/pip* /opt/blender/lib/python3*/site-packages/setuptools*; \
        engine=python:/opt/blender/bin/python ;; \
    debian) \
        engine=/usr/bin/blender ;; \
    *) \
        install xz-utils; \
        tar -xf "${BLENDER##*/}" -C /opt/blender --strip-components=1; \
        engine=/opt/blender/blender ;; \
    esac; \
    echo "$engine" >/opt/blender/engine


FROM base AS agent
ARG BLENDER=bpy
USER root
# The libraries that official Blenders link and bring no copy of.
RUN case "$BLENDER" in \
    bpy) packages=python3 ;; \
    debian) packages=blender ;; \
    *) packages= ;; \
    esac \
    && apt-get update \
    && apt-get install -y --no-install-recommends $packages libegl1 libgl1 libgomp1 libice6 libsm6 libx11-6 libxfixes3 \
        libxi6 libxkbcommon0 libxrender1 libxxf86vm1 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log
COPY --from=blender /opt/blender /opt/blender
COPY assets/containers/start-agent assets/containers/run-in-blender assets/containers/make-demo-scene /usr/local/bin/
COPY assets/demo_scene.py assets/containers/pack_scene.py /usr/local/share/farmhand/
COPY --from=build /out/farmhand-agent /usr/local/bin/
ENV FARMHAND_DATA=/data FARMHAND_LISTEN=0.0.0.0:3000
USER farmhand
VOLUME /data
EXPOSE 3000
HEALTHCHECK --interval=5s --timeout=4s --start-period=60s --retries=3 CMD ["answers-health", "3000"]
ENTRYPOINT ["tini", "--", "start-agent"]
