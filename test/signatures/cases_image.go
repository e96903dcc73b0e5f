package signatures

import (
	"slices"

	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/stretchr/testify/require"

	"imagecatalog.dev/catalog/pkg/signature"
)

// Which image is signed, and which is asked about.
func imageCases() []Case {
	return slices.Concat(kindsOfImages(), partsOfIndexes(), misplacedSignatures())
}

func kindsOfImages() []Case {
	return []Case{
		{Name: "nothing", Outcome: not, Reason: signature.Unsigned, lay: func(*Stage) {}},
		{Name: "image of Docker's schema 2", Outcome: verified, Reason: signature.Signed, lay: func(s *Stage) {
			s.Image = s.pushImage("docker", types.DockerManifestSchema2)
			s.attach(s.bundled(s.ownStatement(), s.signer))
		}},
		{Name: "image of Docker's schema 2 of which OCI's form is signed", Outcome: not, Reason: signature.Unsigned, lay: func(s *Stage) {
			s.Image = s.pushImage("content", types.OCIManifestSchema1)
			s.attach(s.bundled(s.ownStatement(), s.signer))
			s.sign(s.signed(s.own(), s.signer))
			s.Image = s.pushImage("content", types.DockerManifestSchema2)
		}},
		{Name: "index", Outcome: verified, Reason: signature.Signed, lay: func(s *Stage) {
			s.Image, _ = s.pushIndex("one", "two")
			s.attach(s.bundled(s.ownStatement(), s.signer))
		}},
		{Name: "index of simple signing", Outcome: verified, Reason: signature.Signed, lay: func(s *Stage) {
			s.Image, _ = s.pushIndex("one", "two")
			s.sign(s.signed(s.own(), s.signer))
		}},
	}
}

func partsOfIndexes() []Case {
	return []Case{
		{Name: "index of which an image is signed", Outcome: not, Reason: signature.Unsigned, lay: func(s *Stage) {
			index, images := s.pushIndex("one", "two")
			s.Image = images[0]
			s.attach(s.bundled(s.ownStatement(), s.signer))
			s.sign(s.signed(s.own(), s.signer))
			s.Image = index
		}},
		{Name: "image of an index that is signed", Outcome: not, Reason: signature.Unsigned, lay: func(s *Stage) {
			index, images := s.pushIndex("one", "two")
			s.Image = index
			s.attach(s.bundled(s.ownStatement(), s.signer))
			s.Image = images[0]
		}},
		{Name: "index whose platform was swapped", Outcome: not, Reason: signature.Unsigned, lay: func(s *Stage) {
			s.Image, _ = s.pushIndex("one", "two")
			s.attach(s.bundled(s.ownStatement(), s.signer))
			s.Image, _ = s.pushIndex("one", "evil")
		}},
		{Name: "simple signing of an index given to another", Outcome: not, Reason: signature.SubjectMismatch, lay: func(s *Stage) {
			s.Image, _ = s.pushIndex("one", "two")
			own := s.own()
			s.Image, _ = s.pushIndex("one", "evil")
			s.sign(s.signed(own, s.signer))
		}},
		{Name: "signature of an index given to another", Outcome: not, Reason: signature.SubjectMismatch, lay: func(s *Stage) {
			s.Image, _ = s.pushIndex("one", "two")
			signed := s.bundled(s.ownStatement(), s.signer)
			s.Image, _ = s.pushIndex("one", "evil")
			s.attach(signed)
		}},
	}
}

func misplacedSignatures() []Case {
	return []Case{
		{Name: "signature of the configuration", Outcome: not, Reason: signature.SubjectMismatch, lay: func(s *Stage) {
			s.sign(s.signed(payload(s.repository.Name(), digestOf("{}"), criticalType), s.signer))
		}},
		{Name: "signature under another image's tag", Outcome: not, Reason: signature.Unsigned, lay: func(s *Stage) {
			image, own := s.Image, s.own()
			s.Image = s.pushImage("second", types.OCIManifestSchema1)
			s.sign(s.signed(own, s.signer))
			s.Image = image
		}},
		{Name: "bundle that refers to another image", Outcome: not, Reason: signature.Unsigned, lay: func(s *Stage) {
			image, signed := s.Image, s.bundled(s.ownStatement(), s.signer)
			s.Image = s.pushImage("second", types.OCIManifestSchema1)
			s.attach(signed)
			s.Image = image
		}},
		{Name: "image to which a tag was moved from one that is signed", Outcome: not, Reason: signature.Unsigned, lay: func(s *Stage) {
			s.attach(s.bundled(s.ownStatement(), s.signer))
			s.sign(s.signed(s.own(), s.signer))
			evil := newImage(s.t, "evil", types.OCIManifestSchema1)
			require.NoError(s.t, remote.Write(s.repository.Tag("image"), evil))
			digest, err := evil.Digest()
			require.NoError(s.t, err)
			s.Image = s.repository.Digest(digest.String())
		}},
		{Name: "signature in another repository", Outcome: not, Reason: signature.Unsigned, lay: func(s *Stage) {
			repository, own := s.repository, s.own()
			s.repository = repository.Repo("acme", "elsewhere")
			s.attach(s.bundled(s.ownStatement(), s.signer))
			s.sign(s.signed(own, s.signer))
			s.repository = repository
		}},
	}
}
