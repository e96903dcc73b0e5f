package main

import (
	"context"
	"fmt"
	"os"
)

// listCatalog shows what the query server lists for an account that may read the demonstration's entries.
func listCatalog(ctx context.Context, s site) error {
	query, err := reachQueryServer(ctx, s)
	if err != nil {
		return err
	}
	defer query.close()
	table, err := query.get(ctx, "/v1/images")
	if err != nil {
		return err
	}
	fmt.Print(table)
	return nil
}

// printNextSteps ends the run with what a reader needs to go on.
func printNextSteps(ctx context.Context, s site) error {
	query, err := reachQueryServer(ctx, s)
	if err != nil {
		return err
	}
	query.close()
	if s.current {
		query.address = "127.0.0.1:8443"
		fmt.Printf("\nFirst, in another terminal: kubectl --namespace %s port-forward service/query 8443:443\n", systemNamespace)
	} else {
		fmt.Printf("\nFirst, for the kubeconfig %s and the cluster's own kubectl and tkn: eval \"$(make --silent env)\"\n", os.Getenv("KUBECONFIG"))
	}
	fmt.Printf(`The catalog answers at %[1]s, as %[2]s. Try next:
  curl --silent --cacert %[3]s --connect-to %[2]s:443:%[1]s --header "Authorization: Bearer $(kubectl --namespace %[4]s create token reader)" --header 'Accept: text/plain' 'https://%[2]s/v1/images?architecture=arm64&target=raspberry-pi'
  kubectl --namespace %[4]s get catalogimages
  tkn task start verify --namespace %[4]s --param IMAGE_URL=%[5]s --param PUBLIC_KEY="$(cat %[6]s)" --use-param-defaults --skip-optional-workspace --showlog
`, query.address, queryHost, query.ca, demoNamespace, s.imageReference(), s.publicKey())
	return nil
}
