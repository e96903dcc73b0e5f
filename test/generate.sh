#!/usr/bin/env bash
# Writes all that is generated: from pkg/apis the deep copies, clients, informers, reconciler frame and CRD schema; from
# tasks/catalog-verify its twin verify.
set -euo pipefail
cd "$(dirname "$0")/.."
module=imagecatalog.dev/catalog
api=$module/pkg/apis/catalog/v1alpha1
client=$module/pkg/client

rm -rf pkg/client
go tool deepcopy-gen --output-file zz_generated.deepcopy.go "$api"
go tool client-gen --clientset-name versioned --input-base "$module/pkg/apis" --input catalog/v1alpha1 \
  --output-pkg "$client/clientset" --output-dir pkg/client/clientset
go tool lister-gen --output-pkg "$client/listers" --output-dir pkg/client/listers "$api"
go tool informer-gen --versioned-clientset-package "$client/clientset/versioned" \
  --listers-package "$client/listers" --output-pkg "$client/informers" --output-dir pkg/client/informers "$api"
go tool injection-gen --input-dirs "$api" --versioned-clientset-package "$client/clientset/versioned" \
  --external-versions-informers-package "$client/informers/externalversions" \
  --listers-package "$client/listers" --output-package "$client/injection" --output-dir pkg/client/injection
go tool controller-gen schemapatch:manifests=config,generateEmbeddedObjectMeta=false output:dir=config paths=./pkg/apis/...

# The Task verify is catalog-verify under the name that people type: tkn task start verify
sed 's/^  name: catalog-verify$/  name: verify/' tasks/catalog-verify/0.1/catalog-verify.yaml > tasks/verify/0.1/verify.yaml
