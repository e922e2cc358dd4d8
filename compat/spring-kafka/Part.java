import org.springframework.context.ApplicationContext;

/** A part of the application, and how it is judged. */
interface Part {
    /** Its checks while nothing goes wrong. */
    void calm(ApplicationContext application) throws Exception;

    /** Gives it work for some fifteen seconds, while the node is killed. */
    void work() throws Exception;

    /** Its checks afterwards. */
    void judge() throws Exception;
}
