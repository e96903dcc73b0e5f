package fuzzer

var (
	hosts        = []string{"quay.io/", "QUAY.io.:443/", "", "docker.io/", "localhost:5000/", "127.0.0.1:443/", "[2001:DB8::1]:5000/", "registry:443/"}
	repositories = []string{"acme/autosd", "nginx", "library/nginx", "a/b/c/d", "x_y/z-1.0", "acme/centos"}
	intervals    = []string{"1h", "30m", "1h30m", "60m", "8760h", "1m", "90s", "0.5h", "1m0.000000001s", "59s", "8761h"}
	facets       = []string{"arm64", "aarch64", "x86_64", "X86-64", "AMD64", "dev", "prod", "autosd", "10", "1.2_3", "a", "raspberry-pi", "qemu", "Z"}
	labelKeys    = []string{"imagecatalog.dev/distro", "imagecatalog.dev/channel", "imagecatalog.dev/series", "arch.imagecatalog.dev/arm64",
		"arch.imagecatalog.dev/amd64", "target.imagecatalog.dev/qemu", "target.imagecatalog.dev/stale", "imagecatalog.dev/else", "mine"}
	annotationKeys = []string{"imagecatalog.dev/creator", "imagecatalog.dev/lastModifier", "imagecatalog.dev/published-at", "mine"}
	unknown        = []string{"tag", "Image", "IMAGE", "spec", "name", "__proto__", "", "a.b", "é"}
	spoilers       = []string{"", " ", "/", "//", "@", ":", "\x00", "\n", "é", "\u202e", "..", "%", "sha512:", "A", "-", ".", "1h", "\ufffd", "🙂",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}
)
