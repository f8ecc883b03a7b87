from .service import Service
class CloudFormation(Service):
    scope, protocol, version = "cloudformation", "query", "2010-05-15"
    namespace = "http://cloudformation.amazonaws.com/doc/2010-05-15/"
    keys = {}
    def close(self):
        pass
